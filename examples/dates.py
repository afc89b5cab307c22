"""Facts that hold for a time: a succession of values, a question that names a date, and one asked
as of a day."""

import sys

import memedit


def main() -> None:
    model = memedit.EditableModel.from_pretrained()
    shifts = {"Dr Amara": ("2026-01-15", "2026-01-15"), "Dr Boone": ("2026-01-16", "2026-01-31")}
    for name, (first, last) in shifts.items():
        model.edit(
            "The duty doctor is", name, subject="duty doctor", valid_from=first, valid_until=last
        )

    for day, expected in {"2026-01-15": "Dr Amara", "2026-01-20": "Dr Boone"}.items():
        with model.using(as_of=day):
            answer = model.ask("The duty doctor is").text
        print(day, answer)
        assert answer == expected
    with model.using(as_of="2026-03-01"):
        assert not model.ask("The duty doctor is").decision  # nobody's shift


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(130)  # as shells say of Ctrl-C
