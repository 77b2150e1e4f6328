using AspireStreaming.StreamApi.Compression;
using AspireStreaming.StreamApi.Connections;

namespace AspireStreaming.StreamApi.Sse;

/// <summary>Opens SSE connections.</summary>
internal sealed class SseEndpoint(
    Subscriber subscriber, SubscriptionServices services, ResponseCompressor compressor, LiveResponses responses)
{
    /// <summary>Lets a client of one stream in.</summary>
    public Task AnswerAsync(HttpContext context, SseRequest request)
    {
        if (TryEnter(context, [request.Subscription], out var subscribed) is { } refusal)
        {
            return Problems.Refused(context, refusal).ExecuteAsync(context);
        }

        responses.Admit(context, new SseConnection(context, subscribed!, request.Named, this, services));
        return Task.CompletedTask;
    }

    /// <summary>Lets a client of several streams in.</summary>
    public Task AnswerAsync(HttpContext context, MultiStreamRequest request)
    {
        if (TryEnter(context, request.Subscriptions, out var subscribed) is { } refusal)
        {
            return Problems.Refused(context, refusal).ExecuteAsync(context);
        }

        responses.Admit(context, new MultiStreamConnection(context, subscribed!, request, this, services));
        return Task.CompletedTask;
    }

    /// <summary>Waits until it is known where a client starts, and prepares the answer's head.</summary>
    /// <returns>Whether there is anything to deliver, and what compresses it, if anything does.</returns>
    public async ValueTask<(bool IsOpen, CompressedBody? Compressed)> OpenAsync(HttpContext context, Subscribed subscribed)
    {
        await subscriber.StartsKnownAsync(subscribed).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (Array.TrueForAll(subscribed.Followers, follower => follower.StartsAtEnd))
        {
            // EventSource takes it as the end and does not come back.
            context.Response.StatusCode = StatusCodes.Status204NoContent;
            return (false, null);
        }

        SseResponse.Prepare(context);
        var compressed = compressor.TryStartLive(context);
        SseResponse.ForgetRequest(context);
        return (true, compressed);
    }

    private Refusal? TryEnter(HttpContext context, IReadOnlyList<SubscriptionRequest> requests, out Subscribed? subscribed) =>
        subscriber.TryEnter(context, requests, ClientLeaving.Of(context), out subscribed);
}
