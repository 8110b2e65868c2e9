"""A signed copy of an image, as Secure Boot wants it: a key made on the spot, and sbsign."""
import shutil
import subprocess
from pathlib import Path


class Missing(Exception):
    """A tool is not there or failed; the text is the sentence for the user."""


def run(*argv: str) -> None:
    if shutil.which(argv[0]) is None:
        package = "sbsigntool" if argv[0].startswith("sb") else argv[0]
        raise Missing(f"{argv[0]} is missing; install {package}")
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    if done.returncode:
        raise Missing(f"{argv[0]}: {done.stdout.strip()}")


def signed(image: Path, directory: Path) -> bytes:
    """@image with a signature behind it; key and certificate are left in @directory."""
    directory.mkdir(parents=True, exist_ok=True)
    key, certificate, out = directory / "key.pem", directory / "certificate.pem", directory / "signed.efi"
    run("openssl", "req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=test",
        "-keyout", str(key), "-out", str(certificate))
    run("sbsign", "--key", str(key), "--cert", str(certificate), "--output", str(out), str(image))
    run("sbverify", "--cert", str(certificate), str(out))
    return out.read_bytes()
