#!/usr/bin/env python3
"""Makes src/api/lambda/model_data.inc from botocore's model of the Lambda API.

    tools/api/lambda_model.py [MODEL.json]   (default: $HEARTH_DATA, else ../shared/data, models/lambda.json)

The table holds every operation, every error shape, and the constraints of the input shapes of those operations that
Hearth serves. src/api/lambda/model_test.cc checks all of it against the model.
"""
import json
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "src/api/lambda/model_data.inc"

SERVED = """
CreateFunction GetFunction GetFunctionConfiguration ListFunctions ListVersionsByFunction UpdateFunctionCode
UpdateFunctionConfiguration DeleteFunction Invoke PutFunctionConcurrency GetFunctionConcurrency
DeleteFunctionConcurrency TagResource UntagResource ListTags GetAccountSettings GetFunctionCodeSigningConfig
""".split()

# Limits that the service has and the model has not (Lambda quotas page).
STRICTER = {"Timeout": {"max": 900}, "MemorySize": {"max": 10240}}

KEPT = ("min", "max", "pattern", "enum", "required", "sensitive")


def model_file():
    if len(sys.argv) > 1:
        return pathlib.Path(sys.argv[1])
    folders = [pathlib.Path(os.environ[name]) for name in ("HEARTH_DATA",) if name in os.environ]
    folders.append(ROOT / "../shared/data")
    return next(folder / "models/lambda.json" for folder in folders if (folder / "models/lambda.json").exists())


def shape_of(name, shape):
    made = {"type": shape["type"]}
    made.update({key: shape[key] for key in KEPT if key in shape})
    made.update(STRICTER.get(name, {}))
    if "members" in shape:
        made["members"] = {
            member: {"shape": ref["shape"], **{k: ref[k] for k in ("location", "locationName") if k in ref}}
            for member, ref in shape["members"].items()}
    for part in ("member", "key", "value"):
        if part in shape:
            made[part] = shape[part]["shape"]
    return made


def reachable(model, names):
    found, todo = {}, list(names)
    while todo:
        name = todo.pop()
        if name in found:
            continue
        shape = model["shapes"][name]
        found[name] = shape_of(name, shape)
        todo += [ref["shape"] for ref in shape.get("members", {}).values()]
        todo += [shape[part]["shape"] for part in ("member", "key", "value") if part in shape]
    return dict(sorted(found.items()))


def operation_line(name, operation, model):
    path, _, query = operation["http"]["requestUri"].partition("?")
    served = name in SERVED
    input_shape = operation["input"]["shape"] if served and "input" in operation else ""
    text = (name, operation["http"]["method"], path, query, input_shape)
    return "    {%s, %s}," % (", ".join(json.dumps(part) for part in text), "true" if served else "false")


def error_line(name, shape):
    key = next(member for member in shape["members"] if member.lower() == "message")
    user = "true" if shape["error"].get("senderFault") else "false"
    return "    {%s, %d, %s, %s}," % (json.dumps(name), shape["error"]["httpStatusCode"], json.dumps(key), user)


def main():
    model = json.loads(model_file().read_text())
    operations = model["operations"]
    inputs = [operations[name]["input"]["shape"] for name in SERVED]
    lines = ["// Made by tools/api/lambda_model.py; do not edit.", "", "constexpr Operation kOperations[] = {"]
    lines += [operation_line(name, operation, model) for name, operation in sorted(operations.items())]
    lines += ["};", "", "constexpr ErrorShape kErrors[] = {"]
    lines += [error_line(name, shape) for name, shape in sorted(model["shapes"].items()) if shape.get("exception")]
    lines += ["};", "", 'constexpr std::string_view kShapes = R"json({']
    shapes = reachable(model, inputs)
    lines += [",\n".join(f"{json.dumps(name)}: {json.dumps(shape)}" for name, shape in shapes.items())]
    lines += ['})json";']
    OUTPUT.write_text("\n".join(lines) + "\n")


main()
