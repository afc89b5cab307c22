"""One batch, some rows in scope and some not: only those in scope change, and the others are the
base's, bit for bit."""

import sys

import memedit


def main() -> None:
    model = memedit.EditableModel.from_pretrained()
    model.edit("The capital of France is", "Lyon", subject="France")
    tokenizer = model.tokenizer
    tokenizer.padding_side = "left"

    texts = ["The capital of France is", "Water boils at", "The opposite of hot is"]
    inputs = tokenizer(texts, return_tensors="pt", padding=True)
    edited = model.generate(**inputs, max_new_tokens=6, do_sample=False)
    base = model.base.generate(**inputs, max_new_tokens=6, do_sample=False)

    for row, text in enumerate(tokenizer.batch_decode(edited, skip_special_tokens=True)):
        print(repr(text))
        if row:
            assert edited[row][: base.shape[1]].equal(base[row][: edited.shape[1]])
    assert "Lyon" in tokenizer.decode(edited[0])


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(130)  # as shells say of Ctrl-C
