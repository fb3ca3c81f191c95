"""Look up the installed dependencies among the known vulnerabilities, and say plainly where that was not possible."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

NOT_CHECKED = 3
# where pip-audit can ask
SERVICES = ("pypi", "osv")


def main() -> int:
    """0: nothing known of what was checked. 1: a vulnerability is known. 3: nothing could be checked."""
    if importlib.util.find_spec("pip_audit") is None:
        print("NOT CHECKED: pip-audit is not installed here: pip install -e '.[dev]'", file=sys.stderr)
        return NOT_CHECKED
    for service in SERVICES:
        packages, said = ask(service)
        checked = [package for package in packages if "skip_reason" not in package]
        if checked:
            return tell(packages, checked, service)
        print(f"{service}: {said}", file=sys.stderr)
    print("NOT CHECKED: the data of known vulnerabilities can't be reached from here", file=sys.stderr)
    return NOT_CHECKED


def ask(service: str) -> tuple[list[dict], str]:
    """What a service knows of each package, and the last line that pip-audit said of it."""
    options = ["--skip-editable", "--progress-spinner=off", "--timeout=20", "--format=json"]
    command = [sys.executable, "-m", "pip_audit", f"--vulnerability-service={service}", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
    if not done.stdout.startswith("{"):
        return [], said
    packages = json.loads(done.stdout)["dependencies"]
    return packages, said if not packages else packages[-1].get("skip_reason", said)


def tell(packages: list[dict], checked: list[dict], service: str) -> int:
    vulnerable = [package for package in checked if package["vulns"]]
    for package in vulnerable:
        for vulnerability in package["vulns"]:
            mended = ", ".join(vulnerability["fix_versions"]) or "no version yet"
            print(f"{package['name']} {package['version']}: {vulnerability['id']}, mended in {mended}")
    unknown = [package for package in packages if package not in checked]
    for package in unknown:
        print(f"not checked: {package['name']}: {package['skip_reason']}", file=sys.stderr)
    print(f"{len(checked)} of {len(packages)} packages checked with {service}: {len(vulnerable)} vulnerable")
    return 1 if vulnerable else 0


if __name__ == "__main__":
    sys.exit(main())
