"""ACL's return codes as exceptions that carry ACL's own message and the remedy.

The classes of codes and the causes are those of the page "aclError" and of "aclnn
Return Codes" in the public CANN documentation (runtime API, 9.1).
"""

from __future__ import annotations

from opslib.errors import (
    BackendUnavailable,
    CompileError,
    DeviceFailure,
    KernelError,
    OpslibError,
)

# The codes whose remedy a user can act on; the others are explained by their class.
_REMEDIES: dict[int, tuple[str, str]] = {
    100000: ("a parameter was refused", "report this: opslib passed a wrong argument"),
    100001: ("ACL is not initialised", "report this: aclInit must come first"),
    100002: ("ACL was initialised before", "another library did; it is safe to go on"),
    107000: ("a parameter was refused", "report this: opslib passed a wrong argument"),
    107001: (
        "there is no such device",
        "list the devices by `npu-smi info`, and check ASCEND_RT_VISIBLE_DEVICES",
    ),
    107002: (
        "the thread has no device context",
        "call opslib, or torch.npu.set_device, in this thread first",
    ),
    107003: ("the stream is of another context", "pass arrays of one device only"),
    161001: (
        "an argument is null that must not be",
        "report this; opslib.use(providers=False) takes opslib's own kernel",
    ),
    161002: (
        "the operator library refuses the arguments",
        "report this; opslib.use(providers=False) takes opslib's own kernel",
    ),
    361001: (
        "the operator library's call of the runtime failed",
        "free memory, and see the log in ~/ascend/log",
    ),
    561003: (
        "the operator library has no binary for this chip",
        "install CANN's package of operators (kernels) for the chip",
    ),
    207000: (
        "this chip or driver lacks the feature",
        "install the driver and CANN that docs/npu.md names",
    ),
    207001: (
        "the device is out of memory",
        "free arrays, use smaller ones, or see `npu-smi info` for who holds memory",
    ),
    207018: (
        "the device is out of memory",
        "free arrays, use smaller ones, or see `npu-smi info` for who holds memory",
    ),
    507000: (
        "the runtime failed inside",
        "see the log in ~/ascend/log; restart the process, then report it",
    ),
    507014: (
        "a kernel ran out of time",
        "report the operator and its shapes: a flag may be missing",
    ),
    507015: (
        "a kernel raised an exception on an AI core",
        "report the operator and its shapes, and the log in ~/ascend/log",
    ),
    507035: (
        "a kernel raised an exception on a vector core",
        "report the operator and its shapes, and the log in ~/ascend/log",
    ),
    507899: (
        "the driver failed inside",
        "check `npu-smi info`; the driver and CANN must fit each other",
    ),
}
# What a kernel did wrong, and not the device.
_OF_KERNELS = frozenset({507014, 507015, 507035})
# What was asked of the operator library, and not the device.
_OF_ARGUMENTS = frozenset({161001, 161002})
_CLASSES = {
    1: (
        "the call or the environment is wrong",
        "check the installation: source CANN's set_env.sh, then `opslib doctor`",
    ),
    2: (
        "a resource is short, or the chip does not offer the call",
        "free memory and streams; `npu-smi info` shows who holds them",
    ),
    3: ("a queue is full or empty", "try again; if it stays, restart the process"),
    5: (
        "hardware or system software failed",
        "see the log in ~/ascend/log; restart the process, then report it",
    ),
}


def acl_error(
    code: int, call: str, message: str = "", *, where: str = ""
) -> OpslibError:
    """The exception for a return code.

    Args:
        code: what the call returned; not 0.
        call: the ACL function.
        message: of aclGetRecentErrMsg.
        where: the operator and the shapes, if a launch failed.
    """
    leading = int(str(abs(code))[0])
    what, remedy = _REMEDIES.get(
        code, _CLASSES.get(leading, ("ACL refused the call", "run `opslib doctor`"))
    )
    text = f"{call} returned {code}: {what}"
    if where:
        text += f"; while running {where}"
    if message.strip():
        text += "\n  ACL says: " + message.strip().replace("\n", "\n            ")
    # "E0811" to "E0813": see docs/errors.md.
    if call.startswith("aclrtc"):
        return CompileError(text, code="E0812", help=remedy)
    if call in ("aclInit", "aclrtGetDeviceCount", "aclrtSetDevice"):
        return BackendUnavailable(text, code="E0811", help=remedy)
    if code in _OF_KERNELS or code in _OF_ARGUMENTS:
        return KernelError(text, code="E0813", help=remedy)
    return DeviceFailure(text, code="E0813", help=remedy)
