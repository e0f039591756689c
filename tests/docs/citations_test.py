#!/usr/bin/env python3
"""What comments and pages cite is there: "docs/method.md §3.4" names a page of this repository and a numbered heading of it."""
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = "base benchmarks cluster cmake datasets docs examples findings launch monitoring slurm tests trainer".split()
ENDINGS = {".cpp", ".cu", ".cuh", ".h", ".md", ".py", ".sh", ".sbatch", ".cmake", ".txt", ".yml", ".cfg"}
PAGE = re.compile(r"docs/[\w/-]+\.md")
# A page, its section, and further sections of the same page; a comment may break the line in between.
GAP = r"[\s/#*]*"
CITATION = re.compile(rf"(docs/[\w/-]+\.md){GAP}(§\d+(?:\.\d+)*(?:(?:,|{GAP}\b(?:and|to)){GAP}§\d+(?:\.\d+)*)*)")
SECTION = re.compile(r"§(\d+(?:\.\d+)*)")


def headings(text):
    return set(re.findall(r"^#+ (\d+(?:\.\d+)*)\.? ", text, re.MULTILINE))


def problems(name, text, pages):
    """Each citation in `text`, of the file `name`, that leads nowhere or has another form. pages: text by path."""
    found = []

    def note(place, what):
        found.append(f"{name}:{text.count(chr(10), 0, place) + 1}: {what}")

    for page in PAGE.finditer(text):
        if page[0] not in pages:
            note(page.start(), f"'{page[0]}' is cited, and there is no such page")
    resolved = set()
    for citation in CITATION.finditer(text):
        for section in SECTION.finditer(citation[2]):
            resolved.add(citation.start(2) + section.start())
            if citation[1] in pages and section[1] not in headings(pages[citation[1]]):
                note(citation.start(), f"'{citation[1]} §{section[1]}' is cited, and that page has no heading '{section[1]}'")
    for sign in re.finditer("§", text):
        if sign.start() in resolved:
            continue
        if name.startswith("docs/"):  # a page's own sections; the paper's are told by the word
            section = SECTION.match(text, sign.start())
            if text[: sign.start()].endswith("paper ") or (section and section[1] in headings(text)):
                continue
        note(sign.start(), "a section is cited without its page; write 'docs/method.md §3.4'")
    for label in re.finditer(r"(?<!docs/)\b(?:method|architecture)\.md\b", text):
        if not name.endswith(".md"):
            note(label.start(), f"'{label[0]}' is cited without its folder; write 'docs/{label[0]} §3.4'")
    for label in re.finditer(r"(?://|#).*?[ (](A\d{1,2})\b", text):
        if not name.endswith(".md"):
            note(label.start(1), f"'{label[1]}' is a label of no page here; cite a section or say the fact")
    return found


class Citations(unittest.TestCase):
    def test_all_lead_somewhere(self):
        pages = {path.relative_to(ROOT).as_posix(): path.read_text() for path in (ROOT / "docs").rglob("*.md")}
        files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in ENDINGS]
        files += [path for path in ROOT.iterdir() if path.suffix in ENDINGS]
        self.assertGreater(len(files), 300)
        found = []
        for path in sorted(files):
            if path != pathlib.Path(__file__).resolve():
                found += problems(path.relative_to(ROOT).as_posix(), path.read_text(), pages)
        self.assertEqual(found, [], "citations that lead nowhere:\n" + "\n".join(found))

    def test_wrong_ones_are_seen(self):
        pages = {"docs/method.md": "## 1. Data\n### 1.2 Sketches\n"}
        for text in ("docs/method.md §1.2, §1 and §1.2", "docs/method.md\n/// §1.2"):
            self.assertEqual(problems("a.h", text, pages), [])
        for text in ("docs/method.md §9.9", "docs/method.md §1, §7", "docs/none.md", "method.md §1.2", "as in §1.2", "// so it is (A18)."):
            self.assertNotEqual(problems("a.h", text, pages), [], text)


if __name__ == "__main__":
    unittest.main()
