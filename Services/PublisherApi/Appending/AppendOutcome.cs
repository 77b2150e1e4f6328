using AspireStreaming.PublisherApi.Http;
using AspireStreaming.Streaming.Redis;

namespace AspireStreaming.PublisherApi.Appending;

/// <summary>How an append ended: in a result, or in a refusal because Redis could not be asked.</summary>
/// <param name="Result">The log's answer; null when there is none.</param>
/// <param name="Refusal">Why there is none.</param>
/// <param name="RetryAfter">When to try again then.</param>
internal readonly record struct AppendOutcome(AppendResult? Result, ProblemKind Refusal = default, TimeSpan RetryAfter = default);
