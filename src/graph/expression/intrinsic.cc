#include "graph/expression/intrinsic.h"

#include "graph/expression/intrinsic_call.h"
#include "graph/expression/json_text.h"
#include "graph/expression/path_tree.h"
#include "graph/expression/utf8.h"

namespace hearth::expression {
namespace {

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.';
}

class IntrinsicParser {
 public:
  explicit IntrinsicParser(std::string_view text) : text_(text), cursor_(text) {}

  Result<std::shared_ptr<const IntrinsicCall>> parse() {
    cursor_.skip_blanks();
    TRY_ASSIGN(std::shared_ptr<IntrinsicCall> call, parse_call(1));
    cursor_.skip_blanks();
    if (!cursor_.done()) return cursor_.refuse("expected the end of the intrinsic function");
    call->text = text_;
    return call;
  }

 private:
  Result<std::shared_ptr<IntrinsicCall>> parse_call(size_t depth) {
    if (depth > kMaxIntrinsicNesting) {
      return fail(Kind::invalid, "intrinsic functions nest at most " + std::to_string(kMaxIntrinsicNesting) + " deep");
    }
    size_t from = cursor_.position();
    while (is_name_character(cursor_.peek())) cursor_.advance();
    std::string name(cursor_.since(from));
    auto call = std::make_shared<IntrinsicCall>();
    call->function = find_intrinsic(name);
    if (call->function == nullptr) return cursor_.refuse("there is no intrinsic function '" + name + "'");
    cursor_.skip_blanks();
    if (!cursor_.take('(')) return cursor_.refuse("expected '('");
    cursor_.skip_blanks();
    while (!cursor_.take(')')) {
      if (!call->arguments.empty() && !cursor_.take(',')) return cursor_.refuse("expected ',' or ')'");
      if (call->arguments.size() >= kMaxIntrinsicArguments) return cursor_.refuse("too many arguments");
      TRY_ASSIGN(IntrinsicArgument argument, parse_argument(depth));
      call->arguments.push_back(std::move(argument));
      cursor_.skip_blanks();
    }
    size_t count = call->arguments.size();
    if (count < call->function->least_arguments || count > call->function->most_arguments) {
      return cursor_.refuse("Invalid number of arguments for " + name);
    }
    call->text = cursor_.since(from);
    return call;
  }

  Result<IntrinsicArgument> parse_argument(size_t depth) {
    IntrinsicArgument argument;
    cursor_.skip_blanks();
    if (cursor_.peek() == '\'') {
      TRY(parse_text(argument));
    } else if (cursor_.peek() == '$') {
      size_t from = cursor_.position();
      TRY(parse_path_at(cursor_, true, 0));
      TRY_ASSIGN(argument.path, Path::compile(cursor_.since(from)));
    } else if (cursor_.rest().starts_with("States.")) {
      TRY_ASSIGN(argument.call, parse_call(depth + 1));
    } else if (cursor_.peek() == '[' || cursor_.peek() == '{' || cursor_.peek() == '"') {
      return cursor_.refuse("expected an argument");
    } else {
      TRY_ASSIGN(argument.literal, parse_path_literal(cursor_));
    }
    return argument;
  }

  Result<> parse_text(IntrinsicArgument& argument) {
    cursor_.advance();
    size_t from = cursor_.position();
    std::string text;
    while (!cursor_.done() && cursor_.peek() != '\'') {
      if (cursor_.peek() == '\\') {
        cursor_.advance();
        if (cursor_.done() || std::string_view("'{}\\").find(cursor_.peek()) == std::string_view::npos) {
          return cursor_.refuse("only ' { } and \\ may be escaped");
        }
      }
      text.push_back(cursor_.peek());
      cursor_.advance();
    }
    argument.raw = cursor_.since(from);
    argument.literal = Value::string(text);
    if (!cursor_.take('\'')) return cursor_.refuse("text that is not closed");
    return {};
  }

  std::string_view text_;
  PathCursor cursor_;
};

// One evaluation of a call and the calls within it.
class IntrinsicRunner {
 public:
  IntrinsicRunner(const IntrinsicCall& whole, const PathScope& scope, const Intrinsic::Random& random)
      : whole_(whole), scope_(scope), random_(random), bytes_before_(live_bytes()) {}

  Result<Value> run(const IntrinsicCall& call) {
    std::vector<Value> values;
    for (const IntrinsicArgument& argument : call.arguments) {
      TRY_ASSIGN(Value value, value_of(argument));
      values.push_back(std::move(value));
    }
    if (live_bytes() - bytes_before_ > static_cast<int64_t>(kMaxIntrinsicResult)) {
      return fail(Kind::exhausted, "the intrinsic function builds too much");
    }
    if (call.function->run == nullptr) return format(call, values);
    auto result = call.function->run({values, random_});
    if (!result) return fail(Kind::invalid, "Invalid arguments in " + std::string(call.function->name));
    return *std::move(result);
  }

 private:
  Result<Value> value_of(const IntrinsicArgument& argument) {
    if (argument.call != nullptr) return run(*argument.call);
    if (!argument.path) return argument.literal;
    auto value = argument.path->read(scope_);
    if (value || value.error().kind != Kind::not_found) return value;
    // A path into the context object is named as it is there, beside the state's input: so does Step Functions.
    std::string path = argument.path->text();
    if (argument.path->root() == PathRoot::context) path.erase(0, 1);
    std::string reason = value.error().message.starts_with("Filter: ")
                             ? value.error().message
                             : "The JsonPath argument for the field '" + path + "' could not be found in the input '" +
                                   to_json(scope_.input) + "'";
    return fail(Kind::not_found, "The function '" + whole_.text + "' had the following error: " + reason);
  }

  static Result<Value> format(const IntrinsicCall& call, const std::vector<Value>& values) {
    bool literal = !call.arguments[0].path && call.arguments[0].call == nullptr;
    if (!values[0].is_string()) return fail(Kind::invalid, "Invalid arguments in States.Format");
    std::string_view pattern = literal ? std::string_view(call.arguments[0].raw) : values[0].as_string();
    return format_template(pattern, std::span(values).subspan(1));
  }

  const IntrinsicCall& whole_;
  const PathScope& scope_;
  const Intrinsic::Random& random_;
  int64_t bytes_before_;
};

}  // namespace

Result<Intrinsic> Intrinsic::compile(std::string_view text) {
  if (text.size() > kMaxIntrinsicBytes) return fail(Kind::invalid, "an intrinsic function of more than 64 KiB");
  if (!is_utf8(text)) return fail(Kind::invalid, "an intrinsic function that is not UTF-8");
  TRY_ASSIGN(std::shared_ptr<const IntrinsicCall> call, IntrinsicParser(text).parse());
  return Intrinsic(std::move(call));
}

Result<Value> Intrinsic::evaluate(const PathScope& scope, const Random& random) const {
  return IntrinsicRunner(*call_, scope, random).run(*call_);
}

const std::string& Intrinsic::text() const { return call_->text; }

}  // namespace hearth::expression
