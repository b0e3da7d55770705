#include <algorithm>
#include <charconv>

#include "graph/expression/json_text.h"
#include "graph/expression/path_tree.h"
#include "graph/expression/utf8.h"

namespace hearth::expression {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool begins_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool continues_name(char c) { return begins_name(c) || (c >= '0' && c <= '9'); }

class PathParser {
 public:
  PathParser(PathCursor& cursor, bool nested, size_t depth) : cursor_(cursor), nested_(nested), depth_(depth) {}

  Result<std::shared_ptr<const PathTree>> parse() {
    size_t from = cursor_.position();
    TRY(root());
    while (!cursor_.done() && !(nested_ && ends_nested())) {
      if (tree_->tokens.size() >= kMaxPathTokens) return fail(Kind::exhausted, "a path of too many steps");
      TRY(token());
    }
    tree_->text = cursor_.since(from);
    bool scans = false;
    for (size_t i = 0; i < tree_->tokens.size(); ++i) {
      const PathToken& token = tree_->tokens[i];
      bool last = i + 1 == tree_->tokens.size();
      scans = scans || token.kind == PathToken::Kind::scan;
      if (token.kind == PathToken::Kind::scan && last) return cursor_.refuse("Path must not end with a '.' or '..'");
      tree_->definite = tree_->definite && token.is_definite(last);
    }
    // A function at the end of a deep scan works on all that was found.
    if (scans && tree_->tokens.back().kind == PathToken::Kind::function) tree_->definite = true;
    return tree_;
  }

 private:
  Result<> root() {
    if (cursor_.take('@')) {
      if (!nested_) return cursor_.refuse("a path begins with $");
      tree_->relative = true;
      return {};
    }
    if (!cursor_.take('$')) return cursor_.refuse("a path begins with $");
    if (cursor_.take('$')) {
      tree_->root = PathRoot::context;
    } else if (begins_name(cursor_.peek())) {
      size_t from = cursor_.position();
      while (continues_name(cursor_.peek())) cursor_.advance();
      tree_->root = PathRoot::variable;
      tree_->variable = cursor_.since(from);
    }
    return {};
  }

  // In a filter or an argument list a path ends where its characters do.
  bool ends_nested() const { return cursor_.peek() != '.' && cursor_.peek() != '['; }

  PathToken& add(PathToken::Kind kind) {
    tree_->tokens.emplace_back().kind = kind;
    return tree_->tokens.back();
  }

  Result<> token() {
    if (cursor_.take("..")) {
      add(PathToken::Kind::scan);
      if (cursor_.done() || cursor_.peek() == '.') return cursor_.refuse("Path must not end with a '.' or '..'");
      return cursor_.peek() == '[' ? bracket() : member();
    }
    if (cursor_.take('.')) {
      if (cursor_.done()) return cursor_.refuse("Path must not end with a '.' or '..'");
      if (cursor_.peek() == '.') return cursor_.refuse("Character '.' is not valid here");
      return cursor_.peek() == '[' ? bracket() : member();
    }
    if (cursor_.peek() == '[') return bracket();
    return cursor_.refuse("expected '.' or '['");
  }

  bool ends_member(char c) const {
    if (c == '.' || c == '[' || c == '(' || is_blank(c) || c == '\0') return true;
    return nested_ && std::string_view(")]},=<>!&|~").find(c) != std::string_view::npos;
  }

  Result<> member() {
    if (cursor_.take('*')) {
      add(PathToken::Kind::wildcard);
      return {};
    }
    size_t from = cursor_.position();
    while (!cursor_.done() && !ends_member(cursor_.peek())) cursor_.advance();
    std::string name(cursor_.since(from));
    if (name.empty()) return cursor_.refuse("expected a name");
    if (cursor_.peek() == '(') return function(std::move(name));
    if (!nested_ && is_blank(cursor_.peek())) {
      return cursor_.refuse("Use bracket notation ['my prop'] if your property contains blank characters");
    }
    add(PathToken::Kind::names).names.push_back(std::move(name));
    return {};
  }

  Result<> function(std::string name) {
    static constexpr std::string_view kFunctions[] = {"min",  "max",    "avg",  "stddev", "sum",  "concat", "length",
                                                      "size", "append", "keys", "first",  "last", "index"};
    if (std::ranges::find(kFunctions, name) == std::end(kFunctions)) {
      return cursor_.refuse("Function with name: " + name + " does not exist.");
    }
    PathToken token;
    token.kind = PathToken::Kind::function;
    token.names.push_back(std::move(name));
    cursor_.advance();
    cursor_.skip_blanks();
    while (!cursor_.take(')')) {
      if (!token.arguments.empty() && !cursor_.take(',')) return cursor_.refuse("expected ',' or ')'");
      cursor_.skip_blanks();
      PathArgument argument;
      if (cursor_.peek() == '$' || cursor_.peek() == '@') {
        if (depth_ >= kMaxFilterDepth) return fail(Kind::exhausted, "a path nested too deeply");
        TRY_ASSIGN(argument.path, parse_path_at(cursor_, true, depth_ + 1));
      } else {
        TRY_ASSIGN(argument.literal, parse_path_literal(cursor_));
      }
      token.arguments.push_back(std::move(argument));
      cursor_.skip_blanks();
    }
    tree_->tokens.push_back(std::move(token));
    return {};
  }

  Result<> bracket() {
    cursor_.advance();
    cursor_.skip_blanks();
    PathToken token;
    if (cursor_.peek() == '\'' || cursor_.peek() == '"') {
      TRY(names(token));
    } else if (cursor_.take('*')) {
      token.kind = PathToken::Kind::wildcard;
    } else if (cursor_.take('?')) {
      TRY(filter(token));
    } else {
      TRY(indexes(token));
    }
    cursor_.skip_blanks();
    if (!cursor_.take(']')) return cursor_.refuse("expected ']'");
    tree_->tokens.push_back(std::move(token));
    return {};
  }

  Result<> names(PathToken& token) {
    token.kind = PathToken::Kind::names;
    for (;;) {
      cursor_.skip_blanks();
      TRY_ASSIGN(std::string name, cursor_.quoted());
      token.names.push_back(std::move(name));
      cursor_.skip_blanks();
      if (!cursor_.take(',')) return {};
    }
  }

  Result<> filter(PathToken& token) {
    token.kind = PathToken::Kind::filter;
    cursor_.skip_blanks();
    if (!cursor_.take('(')) return cursor_.refuse("expected '(' after '?'");
    TRY_ASSIGN(token.filter, parse_filter(cursor_, depth_ + 1));
    cursor_.skip_blanks();
    if (!cursor_.take(')')) return cursor_.refuse("expected ')'");
    return {};
  }

  Result<> indexes(PathToken& token) {
    if (cursor_.peek() != ':') {
      TRY_ASSIGN(token.from, cursor_.integer());
    }
    cursor_.skip_blanks();
    if (cursor_.take(':')) {
      token.kind = PathToken::Kind::slice;
      cursor_.skip_blanks();
      if (cursor_.peek() != ']') {
        TRY_ASSIGN(token.to, cursor_.integer());
      }
      if (!token.from && !token.to) return cursor_.refuse("a slice needs a bound");
      return {};
    }
    token.kind = PathToken::Kind::indexes;
    token.indexes.push_back(*std::exchange(token.from, std::nullopt));
    while (cursor_.take(',')) {
      cursor_.skip_blanks();
      TRY_ASSIGN(int64_t index, cursor_.integer());
      token.indexes.push_back(index);
      cursor_.skip_blanks();
    }
    return {};
  }

  PathCursor& cursor_;
  bool nested_;
  size_t depth_;
  std::shared_ptr<PathTree> tree_ = std::make_shared<PathTree>();
};

}  // namespace

std::string PathToken::fragment() const {
  std::string text;
  auto join = [&](const auto& parts, auto print) {
    for (const auto& part : parts) text += (text.size() > 1 ? "," : "") + print(part);
  };
  switch (kind) {
    case Kind::names:
      text = "[";
      join(names, [](const std::string& name) { return "'" + name + "'"; });
      return text + "]";
    case Kind::indexes:
      text = "[";
      join(indexes, [](int64_t index) { return std::to_string(index); });
      return text + "]";
    case Kind::slice:
      return "[" + (from ? std::to_string(*from) : "") + ":" + (to ? std::to_string(*to) : "") + "]";
    case Kind::wildcard:
      return "[*]";
    case Kind::scan:
      return "..";
    case Kind::filter:
      return "[?]";
    case Kind::function:
      break;
  }
  return "." + names[0] + "()";
}

bool PathToken::is_definite(bool last) const {
  switch (kind) {
    case Kind::names:
      return names.size() == 1 || last;
    case Kind::indexes:
      return indexes.size() == 1;
    case Kind::function:
      return true;
    default:
      return false;
  }
}

std::string PathTree::location(size_t count) const {
  std::string where = relative ? "@" : "$";
  for (size_t i = 0; i < count; ++i) where += tokens[i].fragment();
  return where;
}

bool PathCursor::take(char c) {
  if (peek() != c || done()) return false;
  ++at_;
  return true;
}

bool PathCursor::take(std::string_view word) {
  if (!rest().starts_with(word)) return false;
  at_ += word.size();
  return true;
}

void PathCursor::skip_blanks() {
  while (!done() && is_blank(text_[at_])) ++at_;
}

Failure PathCursor::refuse(std::string_view what) const {
  return fail(Kind::invalid, std::string(what) + " at position " + std::to_string(at_));
}

Result<std::string> PathCursor::quoted() {
  char quote = peek();
  if (quote != '\'' && quote != '"') return refuse("expected a quoted name");
  std::string text;
  for (++at_; !done(); ++at_) {
    char c = text_[at_];
    if (c == quote) {
      ++at_;
      return text;
    }
    if (c == '\\' && at_ + 1 < text_.size()) {
      if (text_[at_ + 1] != quote) text.push_back(c);
      c = text_[++at_];
    }
    text.push_back(c);
  }
  return refuse("a quote that is not closed");
}

Result<int64_t> PathCursor::integer() {
  std::string_view text = rest();
  int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return refuse("expected an index");
  at_ += static_cast<size_t>(end - text.data());
  return number;
}

Result<std::shared_ptr<const PathTree>> parse_path_at(PathCursor& cursor, bool nested, size_t depth) {
  return PathParser(cursor, nested, depth).parse();
}

Result<std::shared_ptr<const PathTree>> parse_path(std::string_view text) {
  if (text.size() > kMaxPathBytes) return fail(Kind::exhausted, "a path of more than 16 KiB");
  if (!is_utf8(text)) return fail(Kind::invalid, "a path that is not UTF-8");
  PathCursor cursor(text);
  return parse_path_at(cursor, false, 0);
}

Result<Value> parse_path_literal(PathCursor& cursor) {
  char first = cursor.peek();
  if (first == '\'' || first == '"') {
    TRY_ASSIGN(std::string text, cursor.quoted());
    return Value::string(text);
  }
  size_t from = cursor.position();
  if (first == '[' || first == '{') {
    // As far as the brackets balance; quotes may be single.
    int open = 0;
    std::string json;
    do {
      char c = cursor.peek();
      if (cursor.done()) return cursor.refuse("a literal that is not closed");
      if (c == '\'' || c == '"') {
        TRY_ASSIGN(std::string text, cursor.quoted());
        append_json_string(json, text);
        continue;
      }
      if (c == '[' || c == '{') ++open;
      if (c == ']' || c == '}') --open;
      json.push_back(c);
      cursor.advance();
    } while (open > 0);
    auto parsed = parse_json_value(json);
    if (!parsed) return cursor.refuse("a literal that is no JSON");
    return *std::move(parsed);
  }
  while (continues_name(cursor.peek()) || cursor.peek() == '-' || cursor.peek() == '+' || cursor.peek() == '.')
    cursor.advance();
  auto parsed = parse_json_value(cursor.since(from));
  if (!parsed) return cursor.refuse("expected a literal");
  return *std::move(parsed);
}

}  // namespace hearth::expression
