#include "api/ec2/xml.h"

namespace hearth::api::ec2 {

void Xml::open(std::string_view name) {
  text_.append("<").append(name).append(">");
  open_.push_back(name);
}

void Xml::close() {
  text_.append("</").append(open_.back()).append(">");
  open_.pop_back();
}

void Xml::element(std::string_view name, std::string_view text) {
  text_.append("<").append(name).append(">");
  escape(text, text_);
  text_.append("</").append(name).append(">");
}

void Xml::escape(std::string_view text, std::string& out) {
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\r':  // a reader would make it \n
        out += "&#13;";
        break;
      default:
        out += c;
    }
  }
}

}  // namespace hearth::api::ec2
