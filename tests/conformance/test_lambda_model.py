"""The Lambda API held against botocore's model of it: what it answers has that shape, what it has not says so."""
import io
import json
import zipfile

import botocore.session
import pytest
from botocore.exceptions import ClientError

ROLE = "arn:aws:iam::000000000000:role/test"
SERVED = {
    "CreateFunction", "GetFunction", "GetFunctionConfiguration", "ListFunctions", "ListVersionsByFunction",
    "UpdateFunctionCode", "UpdateFunctionConfiguration", "DeleteFunction", "Invoke", "PutFunctionConcurrency",
    "GetFunctionConcurrency", "DeleteFunctionConcurrency", "TagResource", "UntagResource", "ListTags",
    "GetAccountSettings", "GetFunctionCodeSigningConfig"}
MODEL = botocore.session.get_session().get_service_model("lambda")


def a_zip():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("app.py", "def handler(event, context):\n    return event\n")
    return buffer.getvalue()


@pytest.fixture(scope="module")
def client(hearth):
    return hearth.client("lambda", parameter_validation=False)


@pytest.fixture
def function(client, unique):
    name = unique("model")
    client.create_function(FunctionName=name, Runtime="python3.11", Role=ROLE, Handler="app.handler",
                           Code={"ZipFile": a_zip()}, Tags={"of": "test"},
                           Environment={"Variables": {"KEY": "value"}})
    client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 0.1, "MaxAttempts": 100})
    yield name
    client.delete_function(FunctionName=name)


def a_value(shape):
    """Something that the shape allows, as small as can be."""
    if shape.type_name == "structure":
        return {name: a_value(shape.members[name]) for name in shape.required_members}
    if shape.type_name == "list":
        return [a_value(shape.member)] * max(1, shape.metadata.get("min", 1))
    if shape.type_name == "map":
        return {}
    if shape.type_name == "string":
        return shape.enum[0] if shape.enum else "x" * max(1, shape.metadata.get("min", 1))
    if shape.type_name == "blob":
        return b"{}"
    if shape.type_name == "boolean":
        return False
    if shape.type_name == "timestamp":
        return 0
    return max(1, shape.metadata.get("min", 1))


def operation(client, name):
    return getattr(client, next(method for method, api in client.meta.method_to_api_mapping.items() if api == name))


@pytest.mark.parametrize("name", sorted(set(MODEL.operation_names) - SERVED))
def test_what_is_not_offered_names_itself(client, name):
    shape = MODEL.operation_model(name).input_shape
    with pytest.raises(ClientError) as refused:
        operation(client, name)(**(a_value(shape) if shape else {}))
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501
    assert name in refused.value.response["Error"]["Message"]


def complaints(value, shape, path):
    """Where a raw JSON answer is not what the model says: unknown members, other types, nulls, empty lists and maps."""
    kinds = {"structure": dict, "map": dict, "list": list, "string": str, "boolean": bool, "integer": int, "long": int,
             "double": (int, float)}
    wanted = kinds.get(shape.type_name)
    if value is None or (wanted and not isinstance(value, wanted)):
        return [f"{path} is {value!r}, not a {shape.type_name}"]
    if shape.type_name == "structure":
        found = [f"{path}.{name} is not in the model" for name in value if name not in shape.members]
        return found + [more for name, item in value.items() if name in shape.members
                        for more in complaints(item, shape.members[name], f"{path}.{name}")]
    if shape.type_name == "map":
        return [more for key, item in value.items() for more in complaints(item, shape.value, f"{path}.{key}")]
    if shape.type_name == "list":
        return [more for at, item in enumerate(value) for more in complaints(item, shape.member, f"{path}[{at}]")]
    return []


@pytest.mark.parametrize("name, arguments", [
    ("GetFunction", {}), ("GetFunctionConfiguration", {}), ("ListVersionsByFunction", {}),
    ("UpdateFunctionConfiguration", {"Timeout": 5}), ("UpdateFunctionCode", {"ZipFile": a_zip()}),
    ("PutFunctionConcurrency", {"ReservedConcurrentExecutions": 3}), ("GetFunctionConcurrency", {}),
    ("GetFunctionCodeSigningConfig", {}), ("ListFunctions", None), ("GetAccountSettings", None)])
def test_answers_have_the_shape_of_the_model(client, function, name, arguments):
    bodies = []
    client.meta.events.register("before-parse.lambda." + name, lambda response_dict, **_: bodies.append(response_dict),
                                unique_id="shape")
    try:
        operation(client, name)(**({} if arguments is None else {"FunctionName": function, **arguments}))
    finally:
        client.meta.events.unregister("before-parse.lambda." + name, unique_id="shape")
    model = MODEL.operation_model(name)
    assert bodies[0]["status_code"] == model.http.get("responseCode", 200)
    assert complaints(json.loads(bodies[0]["body"]), model.output_shape, name) == []


@pytest.mark.parametrize("member, value", [
    ("MemorySize", 127), ("MemorySize", 10241), ("Timeout", 0), ("Timeout", 901), ("Role", "nobody"),
    ("Handler", "a handler"), ("Description", "d" * 257), ("EphemeralStorage", {"Size": 511}),
    ("TracingConfig", {"Mode": "Loud"}), ("Environment", {"Variables": {"1": "x"}})])
def test_what_breaks_a_constraint_is_told_which(client, function, member, value):
    with pytest.raises(ClientError) as refused:
        client.update_function_configuration(FunctionName=function, **{member: value})
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    path = member[0].lower() + member[1:]
    assert f"at '{path}" in refused.value.response["Error"]["Message"]
