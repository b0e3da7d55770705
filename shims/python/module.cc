// _hearth: what the Python zygote and shim do natively. CPython's stable ABI, 3.11.
//
//   fill_heap_gaps()                ahead of the containers, see heap.h
//   learn_pages(rehearsal) -> bool  in the zygote, see pages.h
//   have_pages() -> bool            in a container: its copies of them are made
//   is_plain(value) -> bool         ahead of json, see plain.h
//   serve_zygote() -> bool          the zygote's loop; True in each new container's shim
//   say_ready()                     the control socket: tells the warden that the shim waits; False when it is gone
//   wait_for_start()                … the start message, or None
//   wait_until_placed() -> bool     … the function's files, limits and network are there
//   RuntimeClient(address)          the Runtime API
//     .connect()                    ahead of the first call, which else does it
//     .imported(us)                 how long the handler's import took: told by the next GET
//     .next() -> tuple              sends a result that respond() left, then waits for the next invocation:
//                                   (body, request id, deadline ms, function ARN, trace id, client context,
//                                    Cognito identity, content type, tenant id)
//     .respond(id, body, type)      leaves the result of an invocation for next(): one write for both
//     .post(path, body, headers) -> status   a request whose answer matters: errors
//
// Only next() may find the connection closed and connect again: hearthd restarted, and what waits is the same listener.
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "container/child/zygote_loop.h"
#include "heap.h"
#include "pages.h"
#include "plain.h"
#include "runtime_client.h"

namespace {

using hearth::shim::ResponseHead;
using hearth::shim::RuntimeClient;
using Read = RuntimeClient::Read;

constexpr Py_ssize_t kMaxStart = 64 * 1024;
constexpr Py_ssize_t kPipelinedBody =
    6 * 1024 * 1024;               // over it the answer may be 413: wait for it before the next GET
constexpr int kMaxReconnects = 5;  // in a row
constexpr const char* kNextPath = "/2018-06-01/runtime/invocation/next";
constexpr int kAccepted = 202;
constexpr int kTooLarge = 413;

struct ClientObject {
  PyObject_HEAD RuntimeClient client;
  PyObject* result_id;
  PyObject* result_body;
  PyObject* result_type;
  long import_us;  // to be told, or 0
  char host[32];
};

ClientObject* cast(PyObject* object) { return reinterpret_cast<ClientObject*>(object); }

// ---- reading and writing with the interpreter lock let go

Read read_head(ClientObject* self, ResponseHead& head) {
  for (;;) {
    Read read;
    Py_BEGIN_ALLOW_THREADS;
    read = self->client.read_head(head);
    Py_END_ALLOW_THREADS;
    if (read != Read::interrupted) return read;
    if (PyErr_CheckSignals() != 0) return Read::failed;
  }
}

Read read_body(ClientObject* self, char* body, size_t size) {
  size_t done = 0;
  for (;;) {
    Read read;
    Py_BEGIN_ALLOW_THREADS;
    read = self->client.read_body(body, size, done);
    Py_END_ALLOW_THREADS;
    if (read != Read::interrupted) return read;
    if (PyErr_CheckSignals() != 0) return Read::failed;
  }
}

bool send_parts(ClientObject* self, iovec* parts, int count) {
  bool sent;
  Py_BEGIN_ALLOW_THREADS;
  sent = self->client.send(parts, count);
  Py_END_ALLOW_THREADS;
  return sent;
}

bool ensure_open(ClientObject* self) {
  if (self->client.connected()) return true;
  bool open;
  Py_BEGIN_ALLOW_THREADS;
  open = self->client.open();
  Py_END_ALLOW_THREADS;
  return open;
}

// An exception for errno, unless a signal handler has raised one.
PyObject* raise_errno() {
  if (PyErr_Occurred() == nullptr) PyErr_SetFromErrno(PyExc_OSError);
  return nullptr;
}

// Reads and drops a body.
bool skip_body(ClientObject* self, const ResponseHead& head) {
  char drop[4096];
  for (uint64_t left = head.content_length; left > 0;) {
    size_t size = left < sizeof(drop) ? static_cast<size_t>(left) : sizeof(drop);
    if (read_body(self, drop, size) != Read::ok) return false;
    left -= size;
  }
  return true;
}

// The bytes of a str or bytes object, borrowed; false with an exception for another type.
bool bytes_of(PyObject* object, const char*& bytes, Py_ssize_t& size) {
  if (PyUnicode_Check(object)) {
    bytes = PyUnicode_AsUTF8AndSize(object, &size);
    return bytes != nullptr;
  }
  char* data = nullptr;
  if (PyBytes_AsStringAndSize(object, &data, &size) != 0) return false;
  bytes = data;
  return true;
}

PyObject* text_or_none(std::string_view text) {
  if (text.data() == nullptr) Py_RETURN_NONE;
  return PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace");
}

// ---- next()

int format_get(ClientObject* self, char* into, size_t room) {
  char import[48] = "";
  if (self->import_us > 0) snprintf(import, sizeof(import), "Hearth-Import-Us: %ld\r\n", self->import_us);
  return snprintf(into, room, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: hearth-python\r\n%s\r\n", kNextPath,
                  self->host, import);
}

void drop_result(ClientObject* self) {
  Py_CLEAR(self->result_id);
  Py_CLEAR(self->result_body);
  Py_CLEAR(self->result_type);
}

// Sends the result that waits, with or without the next GET behind it.
// -1: an exception is set. 0: the connection broke. 1: sent. `pipelined` says whether the GET went too.
int send_result(ClientObject* self, bool& pipelined) {
  const char *id = nullptr, *type = nullptr, *body = nullptr;
  Py_ssize_t id_size = 0, type_size = 0, body_size = 0;
  if (!bytes_of(self->result_id, id, id_size) || !bytes_of(self->result_type, type, type_size) ||
      !bytes_of(self->result_body, body, body_size)) {
    return -1;
  }
  char head[1024];
  int head_size = snprintf(head, sizeof(head),
                           "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: %s\r\n"
                           "Content-Type: %s\r\nContent-Length: %zd\r\n\r\n",
                           id, self->host, type, body_size);
  if (head_size < 0 || static_cast<size_t>(head_size) >= sizeof(head)) {
    PyErr_SetString(PyExc_ValueError, "request id or content type is too long");
    return -1;
  }
  pipelined = body_size <= kPipelinedBody;
  char get[256];
  int get_size = format_get(self, get, sizeof(get));
  iovec parts[3] = {{head, static_cast<size_t>(head_size)},
                    {const_cast<char*>(body), static_cast<size_t>(body_size)},
                    {get, static_cast<size_t>(get_size)}};
  return send_parts(self, parts, pipelined ? 3 : 2) ? 1 : 0;
}

// POSTs and reads the status: -1 with an exception when there is none.
long post(ClientObject* self, const char* path, const char* headers, const char* body, Py_ssize_t size) {
  Py_ssize_t room = static_cast<Py_ssize_t>(strlen(path) + strlen(headers)) + 256;
  char* head = static_cast<char*>(malloc(static_cast<size_t>(room)));
  if (head == nullptr) {
    PyErr_NoMemory();
    return -1;
  }
  int head_size =
      snprintf(head, static_cast<size_t>(room),
               "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n%sContent-Length: %zd\r\n\r\n", path,
               self->host, headers, size);
  iovec parts[2] = {{head, static_cast<size_t>(head_size)}, {const_cast<char*>(body), static_cast<size_t>(size)}};
  bool sent = ensure_open(self) && send_parts(self, parts, 2);
  free(head);
  ResponseHead response;
  if (!sent || read_head(self, response) != Read::ok || !skip_body(self, response)) {
    raise_errno();
    return -1;
  }
  if (response.closes) self->client.close();
  return response.status;
}

// As AWS's client does when the response is refused for its size.
bool report_too_large(ClientObject* self, Py_ssize_t size) {
  const char* id = nullptr;
  Py_ssize_t id_size = 0;
  if (!bytes_of(self->result_id, id, id_size)) return false;
  char path[512], body[256];
  snprintf(path, sizeof(path), "/2018-06-01/runtime/invocation/%s/error", id);
  int body_size =
      snprintf(body, sizeof(body),
               "{\"errorMessage\": \"Response payload size (%zd bytes) exceeded maximum allowed payload size "
               "(6291556 bytes).\", \"errorType\": \"Function.ResponseSizeTooLarge\"}",
               size);
  // Whatever the answer: a server that has ended the invocation by itself refuses this one.
  return post(self, path, "Lambda-Runtime-Function-Error-Type: Function.ResponseSizeTooLarge\r\n", body, body_size) > 0;
}

// Reads the answer to the result. False with an exception set; `lost` when the connection broke instead.
bool settle_result(ClientObject* self, bool& lost) {
  ResponseHead head;
  Read read = read_head(self, head);
  if (read == Read::closed) {
    lost = true;
    return true;
  }
  int status = head.status;
  bool closes = head.closes;
  if (read != Read::ok || !skip_body(self, head)) return raise_errno() != nullptr;
  if (closes) {
    self->client.close();
    lost = true;
  }
  if (status == kAccepted) return true;
  if (status == kTooLarge) {
    const char* body = nullptr;
    Py_ssize_t size = 0;
    return bytes_of(self->result_body, body, size) && report_too_large(self, size);
  }
  // Refused: the invocation has ended without us, by the handler's own POST or its deadline. The GET may be on its way
  // and bring the next event, so ending here, as AWS's client does, would lose that one.
  PySys_WriteStderr("Failed to post invocation response: status %d\n", status);
  return true;
}

// Everything up to the GET. `asked`: the GET is on its way already.
bool flush_result(ClientObject* self, bool& asked) {
  asked = false;
  if (self->result_id == nullptr) return true;
  if (!ensure_open(self)) return raise_errno() != nullptr;
  bool pipelined = false;
  bool lost = false;
  int sent = send_result(self, pipelined);
  if (sent < 0) return false;
  if (sent > 0 && !settle_result(self, lost)) return false;
  asked = sent > 0 && pipelined && !lost;
  drop_result(self);
  return true;
}

PyObject* invocation(ClientObject* self, const ResponseHead& head) {
  auto size = static_cast<Py_ssize_t>(head.content_length);
  // The texts are views into the client's buffer, which reading the body may overwrite: they go first.
  const std::string_view texts[] = {head.function_arn,     head.trace_id,     head.client_context,
                                    head.cognito_identity, head.content_type, head.tenant_id};
  long long deadline = head.deadline_ms.data() == nullptr ? 0 : strtoll(head.deadline_ms.data(), nullptr, 10);
  PyObject* result = PyTuple_New(9);
  if (result == nullptr) return nullptr;
  PyObject* items[9] = {PyBytes_FromStringAndSize(nullptr, size), text_or_none(head.request_id),
                        PyLong_FromLongLong(deadline)};
  for (int i = 0; i < 6; ++i) items[3 + i] = text_or_none(texts[i]);
  bool whole = true;
  for (int i = 0; i < 9; ++i) {
    whole = whole && items[i] != nullptr;
    PyTuple_SetItem(result, i, items[i]);
  }
  bool closes = head.closes;
  if (!whole || read_body(self, PyBytes_AsString(items[0]), static_cast<size_t>(size)) != Read::ok) {
    Py_DECREF(result);
    return raise_errno();
  }
  if (closes) self->client.close();
  return result;
}

PyObject* client_next(PyObject* object, PyObject*) {
  ClientObject* self = cast(object);
  bool asked = false;
  if (!flush_result(self, asked)) return nullptr;
  for (int attempt = 0; attempt <= kMaxReconnects; ++attempt) {
    if (!asked) {
      char get[256];
      iovec part{get, static_cast<size_t>(format_get(self, get, sizeof(get)))};
      if (!ensure_open(self)) return raise_errno();
      if (!send_parts(self, &part, 1)) continue;
    }
    asked = false;
    ResponseHead head;
    Read read = read_head(self, head);
    if (read == Read::closed) continue;
    if (read != Read::ok) return raise_errno();
    self->import_us = 0;
    if (head.status == 200) return invocation(self, head);
    PyErr_Format(PyExc_RuntimeError, "Failed to get next invocation: status %d", head.status);
    return nullptr;
  }
  return raise_errno();
}

PyObject* client_connect(PyObject* object, PyObject*) {
  if (!ensure_open(cast(object))) return raise_errno();
  Py_RETURN_NONE;
}

PyObject* client_imported(PyObject* object, PyObject* arguments) {
  if (!PyArg_ParseTuple(arguments, "l", &cast(object)->import_us)) return nullptr;
  Py_RETURN_NONE;
}

PyObject* client_respond(PyObject* object, PyObject* arguments) {
  ClientObject* self = cast(object);
  PyObject *id = nullptr, *body = nullptr, *type = nullptr;
  if (!PyArg_ParseTuple(arguments, "UOU", &id, &body, &type)) return nullptr;
  if (!PyUnicode_Check(body) && !PyBytes_Check(body)) {
    PyErr_SetString(PyExc_TypeError, "the body must be str or bytes");
    return nullptr;
  }
  drop_result(self);
  Py_INCREF(id);
  Py_INCREF(body);
  Py_INCREF(type);
  self->result_id = id;
  self->result_body = body;
  self->result_type = type;
  Py_RETURN_NONE;
}

PyObject* client_post(PyObject* object, PyObject* arguments) {
  const char *path = nullptr, *body = nullptr, *headers = nullptr;
  Py_ssize_t size = 0;
  if (!PyArg_ParseTuple(arguments, "ss#s", &path, &body, &size, &headers)) return nullptr;
  long status = post(cast(object), path, headers, body, size);
  return status < 0 ? nullptr : PyLong_FromLong(status);
}

int client_init(PyObject* object, PyObject* arguments, PyObject*) {
  ClientObject* self = cast(object);
  const char* address = nullptr;
  if (!PyArg_ParseTuple(arguments, "s", &address)) return -1;
  if (strlen(address) >= sizeof(self->host) || !self->client.set_address(address)) {
    PyErr_Format(PyExc_ValueError, "not an address of the Runtime API: %s", address);
    return -1;
  }
  strcpy(self->host, address);
  return 0;
}

PyObject* client_new(PyTypeObject* type, PyObject* arguments, PyObject* keywords) {
  PyObject* object = PyType_GenericNew(type, arguments, keywords);
  if (object != nullptr) new (&cast(object)->client) RuntimeClient();
  return object;
}

void client_dealloc(PyObject* object) {
  PyTypeObject* type = Py_TYPE(object);
  drop_result(cast(object));
  cast(object)->client.destroy();
  reinterpret_cast<freefunc>(PyType_GetSlot(type, Py_tp_free))(object);
  Py_DECREF(type);
}

PyMethodDef client_methods[] = {{"connect", client_connect, METH_NOARGS, "connect ahead of the first call"},
                                {"imported", client_imported, METH_VARARGS, "how long the handler's import took"},
                                {"next", client_next, METH_NOARGS, "the next invocation"},
                                {"respond", client_respond, METH_VARARGS, "leave a result for next()"},
                                {"post", client_post, METH_VARARGS, "POST and give the status"},
                                {nullptr, nullptr, 0, nullptr}};

PyType_Slot client_slots[] = {{Py_tp_new, reinterpret_cast<void*>(client_new)},
                              {Py_tp_init, reinterpret_cast<void*>(client_init)},
                              {Py_tp_dealloc, reinterpret_cast<void*>(client_dealloc)},
                              {Py_tp_methods, client_methods},
                              {0, nullptr}};

PyType_Spec client_spec = {"_hearth.RuntimeClient", sizeof(ClientObject), 0, Py_TPFLAGS_DEFAULT, client_slots};

// ---- the zygote and the control socket

void after_fork_in_shim() {
  hearth::shim::copy_pages();
  PyOS_AfterFork_Child();
}

PyObject* module_serve_zygote(PyObject*, PyObject*) {
  // The interpreter lock is kept: this is the only thread, and stays so.
  bool shim = hearth::container::serve_zygote({PyOS_BeforeFork, PyOS_AfterFork_Parent, after_fork_in_shim});
  if (PyErr_Occurred() != nullptr) return nullptr;
  return PyBool_FromLong(shim);
}

PyObject* module_say_ready(PyObject*, PyObject*) { return PyBool_FromLong(hearth::container::say_ready()); }

PyObject* module_wait_for_start(PyObject*, PyObject*) {
  char* buffer = static_cast<char*>(malloc(kMaxStart));
  if (buffer == nullptr) return PyErr_NoMemory();
  long size = 0;
  Py_BEGIN_ALLOW_THREADS;
  size = hearth::container::wait_for_start(buffer, kMaxStart);
  Py_END_ALLOW_THREADS;
  PyObject* message = nullptr;
  if (size > 0) {
    message = PyBytes_FromStringAndSize(buffer, size);
  } else {
    message = Py_None;
    Py_INCREF(message);
  }
  free(buffer);
  return message;
}

PyObject* module_wait_until_placed(PyObject*, PyObject*) {
  bool placed = false;
  Py_BEGIN_ALLOW_THREADS;
  placed = hearth::container::wait_until_placed();
  Py_END_ALLOW_THREADS;
  return PyBool_FromLong(placed);
}

PyObject* module_fill_heap_gaps(PyObject*, PyObject*) {
  hearth::shim::fill_heap_gaps();
  Py_RETURN_NONE;
}

PyObject* module_learn_pages(PyObject*, PyObject* rehearsal) {
  return PyBool_FromLong(hearth::shim::learn_pages(rehearsal));
}

PyObject* module_have_pages(PyObject*, PyObject*) { return PyBool_FromLong(hearth::shim::have_pages()); }

PyObject* module_is_plain(PyObject*, PyObject* value) { return PyBool_FromLong(hearth::shim::is_plain(value)); }

PyMethodDef module_methods[] = {
    {"is_plain", module_is_plain, METH_O, "see plain.h"},
    {"learn_pages", module_learn_pages, METH_O, "see pages.h"},
    {"have_pages", module_have_pages, METH_NOARGS, "see pages.h"},
    {"fill_heap_gaps", module_fill_heap_gaps, METH_NOARGS, "see heap.h"},
    {"serve_zygote", module_serve_zygote, METH_NOARGS, "the zygote's loop"},
    {"say_ready", module_say_ready, METH_NOARGS, "tell the warden that the shim waits"},
    {"wait_for_start", module_wait_for_start, METH_NOARGS, "the start message"},
    {"wait_until_placed", module_wait_until_placed, METH_NOARGS, "wait for the function's files, limits and network"},
    {nullptr, nullptr, 0, nullptr}};

PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT, "_hearth", nullptr, -1, module_methods, nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__hearth() {
  PyObject* module = PyModule_Create(&module_definition);
  PyObject* type = module == nullptr ? nullptr : PyType_FromSpec(&client_spec);
  if (type == nullptr || PyModule_AddObjectRef(module, "RuntimeClient", type) != 0) {
    Py_XDECREF(type);
    Py_XDECREF(module);
    return nullptr;
  }
  Py_DECREF(type);
  return module;
}
