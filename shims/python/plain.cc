#include "plain.h"

#define PY_SSIZE_T_CLEAN
#include <Python.h>

namespace hearth::shim {
namespace {

constexpr int kMaxDepth = 100;

bool is_plain_at(PyObject* value, int depth);

bool is_plain_dict(PyObject* dict, int depth) {
  PyObject *key = nullptr, *value = nullptr;
  for (Py_ssize_t at = 0; PyDict_Next(dict, &at, &key, &value) != 0;) {
    if (PyBytes_Check(key) || !is_plain_at(value, depth + 1)) return false;
  }
  return true;
}

bool is_plain_list(PyObject* list, int depth) {
  for (Py_ssize_t i = 0; i < PyList_Size(list); ++i) {
    if (!is_plain_at(PyList_GetItem(list, i), depth + 1)) return false;
  }
  return true;
}

bool is_plain_tuple(PyObject* tuple, int depth) {
  for (Py_ssize_t i = 0; i < PyTuple_Size(tuple); ++i) {
    if (!is_plain_at(PyTuple_GetItem(tuple, i), depth + 1)) return false;
  }
  return true;
}

bool is_plain_at(PyObject* value, int depth) {
  if (PyUnicode_Check(value) || PyLong_Check(value) || PyFloat_Check(value) || value == Py_None) return true;
  if (depth >= kMaxDepth) return false;
  if (PyList_CheckExact(value)) return is_plain_list(value, depth);
  if (PyDict_CheckExact(value)) return is_plain_dict(value, depth);
  if (PyTuple_CheckExact(value)) return is_plain_tuple(value, depth);
  // Of the type: asking the object could run code of the function's, which may change what is looked through.
  if (PyObject_HasAttrString(reinterpret_cast<PyObject*>(Py_TYPE(value)), "_asdict") != 0) return false;
  if (PyList_Check(value)) return is_plain_list(value, depth);
  if (PyDict_Check(value)) return is_plain_dict(value, depth);
  if (PyTuple_Check(value)) return is_plain_tuple(value, depth);
  return true;
}

}  // namespace

bool is_plain(PyObject* value) { return is_plain_at(value, 0); }

}  // namespace hearth::shim
