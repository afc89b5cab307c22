#!/usr/bin/env bash
# install.sh SNAPSHOT ENV [TORCH]: an environment for EasyEdit's ROME, MEMIT, FT and GRACE, made from a snapshot of its repository.
# Of its requirements those that these methods import, in the versions it pins; torch as named (its pin by default).
# PyYAML's pin (6.0) builds on no current Python: any later 6.
set -euo pipefail
snapshot=${1:?usage: install.sh SNAPSHOT ENV [TORCH]} env=${2:?usage: install.sh SNAPSHOT ENV [TORCH]}
[ -f "$snapshot/requirements.txt" ] && [ -d "$snapshot/easyeditor" ] || {
  echo "install.sh: $snapshot is no snapshot of EasyEdit: git clone https://github.com/zjunlp/EasyEdit $snapshot" >&2; exit 2; }
pin() { tr -d '\r' <"$snapshot/requirements.txt" | grep -E "^$1==" | head -1 || true; }
wanted=("${3:-$(pin torch)}" "PyYAML>=6.0.1,<7")
for name in transformers tokenizers huggingface_hub numpy datasets matplotlib tqdm scipy; do
  found=$(pin "$name"); wanted+=("${found:-$name}")
done
python3 -m venv "$env"
"$env/bin/python" -m pip install --disable-pip-version-check "${wanted[@]}"
"$env/bin/python" -c "import torch, transformers; print('torch', torch.__version__, 'transformers', transformers.__version__)"
