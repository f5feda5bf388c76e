#pragma once

#include "kafka/exchange.h"
#include "kafka/protocol/api_versions.h"
#include "kafka/services.h"

#include <vector>

namespace talosmq::kafka {

/// What ApiVersions tells: every API that is served, with its versions. The lowest ones are older
/// than what anybody needs, since clients take them for signs of what the broker can do; the
/// highest promise nothing that is not built.
std::vector<ApiVersionsResponse::ApiRange> ServedRanges();

/// Whether its answer may be so large that it finds room for it first. What clients cannot go on
/// without is not among them, so that slow readers do not stop it.
bool MayAnswerMuch(int16_t api_key);

/// Hands the request behind the header in `caller.frame`, to which `decoder` points, to its
/// handler. One that cannot be decoded, or is not served in that version, ends the connection;
/// ApiVersions is answered in version 0 then, as every client expects.
void Serve(const Services& services, Caller caller, Decoder decoder);

}  // namespace talosmq::kafka
