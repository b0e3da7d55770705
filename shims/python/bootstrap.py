"""The Python shim: waits for its function, imports the handler and serves invocations.

What a function sees (messages, error bodies, log lines, context) is as with AWS's own runtime interface client.
"""

import decimal
import importlib
import json
import logging
import math
import os
import re
import signal
import site
import sys
import time
import traceback

import _hearth

TASK_ROOT = "/var/task"
LAYER_ROOT = "/opt/python"
RUNTIME_ROOT = "/var/runtime"
SHIM_FOLDER = "/var/hearth"
RUNTIME_API = "127.0.0.1:9001"  # AWS_LAMBDA_RUNTIME_API, known before the function's environment is
# As many variables as a function has at least; the time zone of all, which the C library keeps.
REHEARSAL = {"TZ": ":UTC", **{"VARIABLE_%d" % number: "value" for number in range(24)}}
LINE_END = "\r"  # inside one log event: a newline would end it
INDENT = "\u00a0"
INIT_ERROR_PATH = "/2018-06-01/runtime/init/error"
MAX_ERROR_TYPE = 256  # what hearthd keeps of it
UNHANDLED_WARNING = (
    "LAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the function code. However, in rare "
    "cases, a Lambda runtime update can cause unexpected function behavior. For functions using managed runtimes, "
    "runtime updates can be triggered by a function change, or can be applied automatically. To determine if the "
    "runtime has been updated, check the runtime version in the INIT_START log entry. If this error correlates with a "
    "change in the runtime version, you may be able to mitigate this error by temporarily rolling back to the previous "
    "runtime version. For more information, see "
    "https://docs.aws.amazon.com/lambda/latest/dg/runtimes-update.html\r"
)
UNESCAPED_RUNTIMES = {"AWS_Lambda_python3.12", "AWS_Lambda_python3.13", "AWS_Lambda_python3.14", "AWS_Lambda_python3.15"}


class Fault(Exception):
    """A failure that is the runtime's to name: `kind` is the errorType."""

    def __init__(self, kind, message, trace=None):
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.trace = trace


# ---- JSON as AWS's client writes it: Decimal as a plain number, bytes as text, a namedtuple as an object


def _like_simplejson(value, around=()):
    """`value` of what json.JSONEncoder writes as simplejson writes `value`; `around`: ids of what it lies in."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    as_dict = getattr(value, "_asdict", None)
    if not callable(as_dict) and not isinstance(value, (list, tuple, dict)):
        return value
    if id(value) in around:
        raise ValueError("Circular reference detected")
    around = {*around, id(value)}
    if callable(as_dict):
        value = as_dict()
        if not isinstance(value, dict):
            raise TypeError("_asdict() must return a dict, not %s" % type(value).__name__)
    if isinstance(value, dict):
        return {
            key.decode("utf-8") if isinstance(key, bytes) else key: _like_simplejson(item, around)
            for key, item in value.items()
        }
    return [_like_simplejson(item, around) for item in value]


class ResponseEncoder:
    def __init__(self, ensure_ascii):
        self._mark = None
        self._pattern = None
        self._has_decimal = False
        self._encode = json.JSONEncoder(ensure_ascii=ensure_ascii, default=self._default).encode

    def _default(self, value):
        if isinstance(value, decimal.Decimal):
            if value.is_nan():
                return math.nan
            return self._marked(value)
        if isinstance(value, bytes):
            return value.decode("utf-8")
        raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)

    # The mark stands in the text for a Decimal until the text is whole; random, so that no function can write one.
    def _marked(self, value):
        if self._mark is None:
            self._mark = "decimal:" + os.urandom(12).hex() + ":"
            self._pattern = re.compile('"' + self._mark + '([^"]*)"')
        self._has_decimal = True
        return self._mark + str(value)

    def encode(self, value):
        self._has_decimal = False
        text = self._encode(value if _hearth.is_plain(value) else _like_simplejson(value))
        return self._pattern.sub(r"\1", text) if self._has_decimal else text


# By whether what is not ASCII is escaped.
_ENCODERS = {escaped: ResponseEncoder(escaped) for escaped in (True, False)}


# ---- the context object


class CognitoIdentity:
    __slots__ = ["cognito_identity_id", "cognito_identity_pool_id"]

    def __repr__(self):
        return _describe(self, self.__slots__)


class Client:
    __slots__ = ["installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name"]

    def __repr__(self):
        return _describe(self, self.__slots__)


class ClientContext:
    __slots__ = ["custom", "env", "client"]

    def __repr__(self):
        return _describe(self, self.__slots__)


def _describe(thing, names):
    return "%s([%s])" % (type(thing).__name__, ",".join("%s=%s" % (name, getattr(thing, name)) for name in names))


def _filled(kind, values):
    if values is None:
        return None
    thing = kind()
    for name in kind.__slots__:
        setattr(thing, name, values.get(name))
    return thing


# Members of the context that are the same in every invocation; filled when the function is known.
_CONTEXT_BASE = {}

_CONTEXT_VARIABLES = (
    ("log_group_name", "AWS_LAMBDA_LOG_GROUP_NAME"),
    ("log_stream_name", "AWS_LAMBDA_LOG_STREAM_NAME"),
    ("function_name", "AWS_LAMBDA_FUNCTION_NAME"),
    ("memory_limit_in_mb", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"),
    ("function_version", "AWS_LAMBDA_FUNCTION_VERSION"),
)


class LambdaContext:
    def __init__(self, request_id, client_context, cognito_identity, deadline_ms, function_arn, tenant_id):
        self.__dict__.update(_CONTEXT_BASE)
        self.aws_request_id = request_id
        self.invoked_function_arn = function_arn
        self.tenant_id = tenant_id
        self.client_context = _filled(ClientContext, client_context)
        if self.client_context is not None:
            self.client_context.client = _filled(Client, self.client_context.client)
        self.identity = CognitoIdentity()
        identity = cognito_identity or {}
        self.identity.cognito_identity_id = identity.get("cognitoIdentityId")
        self.identity.cognito_identity_pool_id = identity.get("cognitoIdentityPoolId")
        self._epoch_deadline_time_in_ms = deadline_ms

    def get_remaining_time_in_millis(self):
        left = self._epoch_deadline_time_in_ms - int(time.time() * 1000)
        return left if left > 0 else 0

    def log(self, message):
        sys.stdout.write(str(message))

    def __repr__(self):
        names = ["aws_request_id", "log_group_name", "log_stream_name", "function_name", "memory_limit_in_mb"]
        names += ["function_version", "invoked_function_arn", "client_context", "identity", "tenant_id"]
        return _describe(self, names)


def _header_json(text, name):
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError as error:
        message = "Unable to parse {} JSON: {}".format(name, error)
        raise Fault("Runtime.LambdaContextUnmarshalError", message) from None


# ---- logging


class Unbuffered:
    """Standard output and error: what was written is out before the process can die."""

    def __init__(self, stream):
        self.stream = stream

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        pass

    def __getattr__(self, name):
        return getattr(self.stream, name)

    def write(self, text):
        self.stream.write(text)
        self.stream.flush()

    def writelines(self, lines):
        self.stream.writelines(lines)
        self.stream.flush()


class _Current:
    request_id = None
    tenant_id = None


class _RequestFilter(logging.Filter):
    def filter(self, record):
        record.aws_request_id = _Current.request_id or ""
        record.tenant_id = _Current.tenant_id
        return True


class _LogHandler(logging.Handler):
    def emit(self, record):
        sys.stdout.write(self.format(record))


_log_handler = _LogHandler()
_RESERVED = set(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {"message", "asctime", "aws_request_id", "tenant_id"}
_encode_log = json.JSONEncoder(ensure_ascii=False, default=str).encode


class _JsonFormatter(logging.Formatter):
    def __init__(self):
        super().__init__(datefmt="%Y-%m-%dT%H:%M:%SZ")

    def format(self, record):
        failure = record.exc_info or None
        plain = isinstance(record.msg, dict) and not record.args
        entry = {
            "timestamp": self.formatTime(record, self.datefmt),
            "level": logging.getLevelName(min(50, max(0, record.levelno)) // 10 * 10),
            "message": record.msg if plain else record.getMessage(),
            "logger": record.name,
            "stackTrace": traceback.format_tb(failure[2]) if failure else None,
            "errorType": failure[0].__name__ if failure else None,
            "errorMessage": str(failure[1]) if failure else None,
            "requestId": getattr(record, "aws_request_id", None),
            "location": "%s:%s:%s" % (record.pathname, record.funcName, record.lineno) if failure else None,
            "tenantId": getattr(record, "tenant_id", None),
        }
        for name, value in record.__dict__.items():
            if name not in _RESERVED and name not in entry:
                entry[name] = value
        return _encode_log({name: value for name, value in entry.items() if value is not None}) + "\n"


def _logs_json():
    return os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"


def _setup_logging():
    """All that no function's environment decides."""
    logging.Formatter.converter = time.gmtime
    line = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"
    _log_handler.setFormatter(logging.Formatter(line, "%Y-%m-%dT%H:%M:%S"))
    _log_handler.addFilter(_RequestFilter())
    logging.getLogger().addHandler(_log_handler)


def _configure_logging():
    """What the function's environment says."""
    if _logs_json():
        _log_handler.setFormatter(_JsonFormatter())
    root = logging.getLogger()
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "")
    level = "DEBUG" if level == "TRACE" else level.upper()
    if level in logging._nameToLevel:
        root.setLevel(level)


def _reindent(line):
    text = line.lstrip(" ")
    return INDENT * (len(line) - len(text)) + text


def log_error(error, encoder):
    if _logs_json():
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        sys.stdout.write(encoder.encode({"timestamp": stamp, "level": "ERROR", **error}) + "\n")
        return
    title = "[ERROR]"
    if error["errorType"]:
        title += " " + error["errorType"]
    if error["errorMessage"]:
        title += (":" if error["errorType"] else "") + " " + error["errorMessage"]
    lines = [title, "Traceback (most recent call last):"]
    for element in error["stackTrace"]:
        lines += [_reindent(line) for line in element.splitlines()] if element else [""]
    sys.stdout.write(LINE_END.join(lines) + "\n")


# ---- errors


def make_error(message, kind, trace, request_id=None):
    return {
        "errorMessage": message or "",
        "errorType": kind or "",
        "requestId": request_id or "",
        "stackTrace": trace or [],
    }


def _own_frames_removed(trace):
    frames = [(f.filename, f.lineno, f.name, f.line) for f in traceback.extract_tb(trace)]
    for index, frame in enumerate(frames):
        if frame[0] != __file__:
            return frames[index:]
    return frames


def error_of(failure, request_id=None):
    """The error body of the exception that is being handled, or of a Fault."""
    if isinstance(failure, Fault):
        return make_error(failure.message, failure.kind, failure.trace, request_id)
    trace = traceback.format_list(_own_frames_removed(failure.__traceback__))
    return make_error(str(failure), type(failure).__name__, trace, request_id)


def _type_header(error):
    kind = (error["errorType"] or "Unhandled").replace("\r", " ").replace("\n", " ")
    return "Lambda-Runtime-Function-Error-Type: %s\r\n" % kind[:MAX_ERROR_TYPE]


def post_error(client, path, error, encoder):
    status = client.post(path, encoder.encode(error), _type_header(error))
    if status != 202:
        raise RuntimeError("Failed to post %s: status %d" % (path, status))


# ---- the handler


def find_handler(name):
    try:
        module_name, function_name = name.rsplit(".", 1)
    except ValueError as error:
        raise Fault("Runtime.MalformedHandlerName", "Bad handler '{}': {}".format(name, error)) from None
    try:
        if module_name.split(".")[0] in sys.builtin_module_names:
            message = "Cannot use built-in module {} as a handler module".format(module_name)
            raise Fault("Runtime.BuiltInModuleConflict", message)
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        message = "Unable to import module '{}': {}".format(module_name, error)
        raise Fault("Runtime.ImportModuleError", message) from None
    except SyntaxError as error:
        trace = ['  File "%s" Line %s\n    %s' % (error.filename, error.lineno, error.text)]
        message = "Syntax error in module '{}': {}".format(module_name, error)
        raise Fault("Runtime.UserCodeSyntaxError", message, trace) from None
    try:
        return getattr(module, function_name)
    except AttributeError:
        message = "Handler '{}' missing on module '{}'".format(function_name, module_name)
        raise Fault("Runtime.HandlerNotFound", message) from None


def _decode_event(body, content_type):
    if content_type is not None and content_type != "application/json":
        return body
    try:
        return json.loads(str(body, "utf-8"))
    except ValueError as error:
        raise Fault("Runtime.UnmarshalError", "Unable to unmarshal input: {}".format(error)) from None


def _encode_response(response, encoder):
    if isinstance(response, bytes):
        return response, "application/unknown"
    try:
        return encoder.encode(response), "application/json"
    except Exception as error:
        message = "Unable to marshal response: {}".format(error)
        raise Fault("Runtime.MarshalError", message) from None


def _set_trace_id(trace_id):
    if trace_id is not None:
        os.environ["_X_AMZN_TRACE_ID"] = trace_id
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)


def _invoke(handler, encoder, invocation):
    body, request_id, deadline, arn, _, client_context, identity, content_type, tenant_id = invocation
    context = LambdaContext(
        request_id,
        _header_json(client_context, "Client Context"),
        _header_json(identity, "Cognito Identity"),
        deadline,
        arn,
        tenant_id,
    )
    return _encode_response(handler(_decode_event(body, content_type), context), encoder)


def serve(client, handler, encoder):
    last_trace_id = None
    while True:
        invocation = client.next()
        request_id = _Current.request_id = invocation[1]
        _Current.tenant_id = invocation[-1]
        if invocation[4] != last_trace_id:
            last_trace_id = invocation[4]
            _set_trace_id(last_trace_id)
        try:
            result, result_type = _invoke(handler, encoder, invocation)
        except Exception as failure:
            error = error_of(failure, request_id)
            log_error(error, encoder)
            post_error(client, "/2018-06-01/runtime/invocation/%s/error" % request_id, error, encoder)
        else:
            client.respond(request_id, result, result_type)
            # Not held while the next invocation is waited for.
            del result
        invocation = None


# ---- the start


def _take_environment(variables):
    os.environ.clear()
    os.environ.update(variables)
    time.tzset()
    for member, variable in _CONTEXT_VARIABLES:
        _CONTEXT_BASE[member] = os.environ.get(variable)


def _add_path_files(folder):
    """The .pth files of `folder`. site itself would look at every folder of sys.path for them."""
    try:
        names = os.listdir(folder)
    except OSError:
        return
    if any(name.endswith(".pth") for name in names):
        site.addsitedir(folder)


def _enter_task():
    os.chdir(TASK_ROOT)
    mine = os.environ.get("PYTHONPATH", RUNTIME_ROOT)
    # Who says where to look is not given the layers too.
    if mine == RUNTIME_ROOT:
        folders = [TASK_ROOT, "%s/lib/python%d.%d/site-packages" % (LAYER_ROOT, *sys.version_info[:2]), LAYER_ROOT]
        sys.path[:0] = folders
    else:
        folders = [TASK_ROOT]
        sys.path[:0] = folders + [path for path in mine.split(":") if path and path != RUNTIME_ROOT]
    sys.path.append(RUNTIME_ROOT)
    for folder in folders:
        _add_path_files(folder)
    sys.argv = ["/var/runtime/bootstrap"]


def _execute_wrapper(wrapper):
    """Executes what AWS_LAMBDA_EXEC_WRAPPER says; it is to execute its arguments, which are Python and wrapped.py."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and what is executed would too
    command = [sys.executable, "-I", "-S", "-X", "utf8", SHIM_FOLDER + "/wrapped.py"]
    os.execve(wrapper, [wrapper, *command], os.environ)


def _encoder():
    return _ENCODERS[os.environ.get("AWS_EXECUTION_ENV") not in UNESCAPED_RUNTIMES]


def rehearse():
    """Goes through a start and an invocation of no function.

    The zygote does it so that what is made at first use is there, and shared, and then to learn which memory a start
    writes to: each container gets its own copy of that before the trigger. Where that can't be learned it rehearses.
    """
    paths, arguments = sys.path[:], sys.argv
    start = json.loads(json.dumps({"handler": "rehearsal.handler", "environment": REHEARSAL}))
    _take_environment(start["environment"])
    _enter_task()
    sys.path.insert(0, SHIM_FOLDER)
    handler = find_handler(start["handler"])
    _invoke(handler, _encoder(), (b'{"key": "value"}', "id", 0, "arn", None, None, None, None, None))
    del sys.modules["rehearsal"]
    sys.path[:], sys.argv = paths, arguments
    sys.path_importer_cache.pop(SHIM_FOLDER, None)
    os.environ.clear()


def prepare():
    """All that can be there before there is a container."""
    # -S left them out: only site's builtins are wanted, not the host's packages.
    site.setquit()
    site.setcopyright()
    site.sethelper()
    sys.stdout = Unbuffered(sys.stdout)
    sys.stderr = Unbuffered(sys.stderr)
    _setup_logging()


def _run(client, handler_name, wrapper=None):
    """Runs the function, in its environment."""
    encoder = _encoder()
    try:
        if wrapper:
            os.chdir(TASK_ROOT)
            _execute_wrapper(wrapper)
        _enter_task()
        began = time.monotonic_ns()
        handler = find_handler(handler_name)
        client.imported((time.monotonic_ns() - began) // 1000 + 1)
    except Exception as failure:
        error = error_of(failure)
        error["requestId"] = ""
        logging.warning(UNHANDLED_WARNING)
        log_error(error, encoder)
        post_error(client, INIT_ERROR_PATH, error, encoder)
        sys.exit(1)
    serve(client, handler, encoder)


def main():
    client = _hearth.RuntimeClient(RUNTIME_API)
    client.connect()
    if not _hearth.have_pages():
        rehearse()
    if not _hearth.say_ready():
        os._exit(0)
    message = _hearth.wait_for_start()
    if message is None:
        os._exit(0)
    start = json.loads(message)
    _take_environment(start["environment"])
    _configure_logging()
    if not _hearth.wait_until_placed():
        os._exit(0)
    _run(client, start["handler"], os.environ.get("AWS_LAMBDA_EXEC_WRAPPER"))


def start_again():
    """What main() is where a wrapper has executed us: it may have changed the environment."""
    _take_environment(dict(os.environ))
    _configure_logging()
    _run(_hearth.RuntimeClient(os.environ["AWS_LAMBDA_RUNTIME_API"]), os.environ["_HANDLER"])
