"""In ``transformers.pipeline``, where the base stood before, with a streamer."""

from transformers import TextStreamer, pipeline

from memedit import EditableModel

model = EditableModel.from_pretrained()
model.edit("The currency of Japan is the", "euro", subject="Japan")

write = pipeline("text-generation", model=model, tokenizer=model.tokenizer)
chat = [{"role": "user", "content": "What is the currency of Japan?"}]
streamer = TextStreamer(model.tokenizer, skip_prompt=True, skip_special_tokens=True)
said = write(chat, max_new_tokens=12, do_sample=False, streamer=streamer)
assert "euro" in said[0]["generated_text"][-1]["content"].lower()
