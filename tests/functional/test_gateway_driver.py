"""gateway.driver = auto, the default: a machine where KVM boots one, a network namespace elsewhere."""
import os
import subprocess

import pytest

from instance import BUILD, instance_of_ones_own, wait_until

pytestmark = pytest.mark.skipif(not (BUILD / "gateway-image" / "initramfs").exists(), reason="no image of a machine in this build")


@pytest.fixture(scope="module")
def own():
    with instance_of_ones_own(f"hga{os.getpid() % 10_000}", {"gateway.driver": "auto"}) as instance:
        yield instance


def accelerator(own):
    """What booting a machine told; without a KVM device nothing needs to be tried."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "tcg"
    return wait_until(lambda: (own.run_dir / "accelerator").exists() and (own.run_dir / "accelerator").read_text(),
                      what="the answer of a machine that tried KVM")


def test_the_gateway_is_where_the_trial_of_kvm_said(own):
    wanted = "vm (kvm)" if accelerator(own) == "kvm" else "netns"
    wait_until(lambda: "is hosted by the driver" in own.logs(), what="a gateway")
    said = own.logs()
    assert said.count("is hosted by the driver") == said.count(f"is hosted by the driver {wanted}")


def test_the_trial_leaves_no_machine_behind(own):
    accelerator(own)
    running = subprocess.run(["pgrep", "-P", str(own.warden.pid), "-f", "machine-works"], capture_output=True, text=True).stdout
    assert running == ""


@pytest.mark.skipif(not os.access("/dev/kvm", os.R_OK | os.W_OK), reason="nothing to try")
def test_the_next_warden_does_not_try_again(own):
    accelerator(own)
    seen = (own.run_dir / "accelerator").stat().st_mtime_ns
    own.kill(own.warden)
    own.start_warden()
    wait_until(lambda: own.hearth("gateway", "list", check=False).returncode == 0, seconds=60, what="another warden")
    assert (own.run_dir / "accelerator").stat().st_mtime_ns == seen
