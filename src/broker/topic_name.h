#pragma once

#include "metadata/topic_name.h"

namespace talosmq::broker {

/// For fronts, which tell a name that no topic can have from one that no topic has.
using metadata::CheckTopicName;

}  // namespace talosmq::broker
