#pragma once

#include "base/executor.h"
#include "group/coordinator.h"
#include "group/output.h"

#include "absl/status/status.h"

#include <memory>
#include <utility>

namespace talosmq::broker {

/// Something asked of a coordinator, which answers it once: by running it or by refusing it.
class GroupCall {
 public:
  virtual ~GroupCall() = default;
  virtual group::Output Run(group::Coordinator& coordinator, group::Now now) = 0;
  virtual void Refuse(const absl::Status& why) = 0;
};

/// A call whose `answer`, with an error in it, is the refusal; `run` is given coordinator, time and
/// what to answer with.
template <typename Answer, typename RunCall>
std::unique_ptr<GroupCall> MakeGroupCall(base::Callback<Answer> done, Answer answer, RunCall run) {
  class Call final : public GroupCall {
   public:
    Call(base::Callback<Answer> done, Answer answer, RunCall run)
        : done_(std::move(done)), answer_(std::move(answer)), run_(std::move(run)) {}
    group::Output Run(group::Coordinator& coordinator, group::Now now) override {
      return run_(coordinator, now, std::move(done_));
    }
    void Refuse(const absl::Status& why) override {
      group::FailAnswer(answer_, why);
      done_(std::move(answer_));
    }

   private:
    base::Callback<Answer> done_;
    Answer answer_;
    RunCall run_;
  };
  return std::make_unique<Call>(std::move(done), std::move(answer), std::move(run));
}

}  // namespace talosmq::broker
