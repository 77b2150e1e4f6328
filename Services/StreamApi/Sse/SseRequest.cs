using AspireStreaming.StreamApi.Connections;

namespace AspireStreaming.StreamApi.Sse;

/// <summary>What an SSE client asks for.</summary>
/// <param name="Subscription">The subscription.</param>
/// <param name="Named">Whether frames carry the event's type as their name.</param>
internal sealed record SseRequest(SubscriptionRequest Subscription, bool Named);
