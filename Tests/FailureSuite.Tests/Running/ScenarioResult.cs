using AspireStreaming.TestSupport.Histories;

namespace AspireStreaming.FailureSuite.Tests.Running;

/// <summary>What came out of one scenario.</summary>
/// <param name="Scenario">Its name.</param>
/// <param name="History">The checker's judgement.</param>
/// <param name="Recovery">From the end of the fault until every subscriber had an event that was published after it.</param>
internal sealed record ScenarioResult(string Scenario, HistoryReport History, TimeSpan Recovery);
