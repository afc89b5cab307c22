"""In ``transformers.pipeline``, where the base stood before, with a streamer."""

import sys

import memedit


def main() -> None:
    from transformers import TextStreamer, pipeline

    model = memedit.EditableModel.from_pretrained()
    model.edit("The currency of Japan is the", "euro", subject="Japan")

    write = pipeline("text-generation", model=model, tokenizer=model.tokenizer)
    chat = [{"role": "user", "content": "What is the currency of Japan?"}]
    streamer = TextStreamer(model.tokenizer, skip_prompt=True, skip_special_tokens=True)
    said = write(chat, max_new_tokens=12, do_sample=False, streamer=streamer)
    assert "euro" in said[0]["generated_text"][-1]["content"].lower()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(130)  # as shells say of Ctrl-C
