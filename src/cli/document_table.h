#pragma once

#include "cli/document.h"

#include <string>

namespace talosmq::cli {

/// The table form of RenderDocument.
std::string RenderTable(const Document& document);

}  // namespace talosmq::cli
