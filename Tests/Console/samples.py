"""Files to upload, made here so that the repository holds none."""
import io, math, os, struct, wave
from PIL import Image, ImageDraw


def picture(color, mark):
    image = Image.new("RGB", (320, 200), color)
    ImageDraw.Draw(image).ellipse((mark, 60, mark + 80, 140), fill=(240, 190, 60))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def sound():
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"".join(struct.pack("<h", int(9000 * math.sin(at / 4))) for at in range(16000)))
    return out.getvalue()


PDF = b"""%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>endobj
4 0 obj<</Length 44>>stream
BT /F1 24 Tf 40 100 Td (One root, one tree) Tj ET
endstream endobj
5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj
trailer<</Root 1 0 R>>"""

MARKDOWN = """# Grove

A *pando* is **one** tree with `one` root; see [the page](https://example.org/) and [this](javascript:alert(1)).

- stems
- roots

<img src=x onerror="window.owned=1">
"""

SCRIPT = "window.owned = 1; document.title = 'owned'; try { parent.owned = 1; top.owned = 1 } catch {} fetch('/owned')"
HTML = f"<!doctype html><title>page</title><body><h1>hello</h1><img src=x onerror=\"{SCRIPT}\"><script>{SCRIPT}</script>"
SVG = f'<svg xmlns="http://www.w3.org/2000/svg" width="80" height="80" onload="{SCRIPT}"><script>{SCRIPT}</script><circle cx="40" cy="40" r="30" fill="teal"/></svg>'
HOSTILE_NAMES = ["<img src=x onerror=window.owned=1>.txt", "\"><script>window.owned=1<script>.txt", "${alert(1)} {{7*7}} %3Cb%3E.txt", "a&lt;b>&amp;\n.txt", "\u202egpj.exe", "javascript:alert(1)", "..foo", " #?%25 ;+&=.txt"]


def write(directory, files):
    for name, content in files.items():
        path = os.path.join(directory, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
