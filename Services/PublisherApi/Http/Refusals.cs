using AspireStreaming.PublisherApi.Appending;
using AspireStreaming.ServiceDefaults.Auth;
using AspireStreaming.Streaming.Redis;

namespace AspireStreaming.PublisherApi.Http;

/// <summary>Turns outcomes into problems, for every transport.</summary>
internal static class Refusals
{
    /// <summary>The kind of an outcome that is no success.</summary>
    public static ProblemKind KindOf(AppendOutcome outcome) => outcome.Result?.Status switch
    {
        AppendStatus.Ended => ProblemKind.StreamEnded,
        AppendStatus.PositionMismatch => ProblemKind.PositionMismatch,
        AppendStatus.BacklogFull => ProblemKind.ArchiveBacklogFull,
        _ => outcome.Refusal,
    };

    /// <summary>The problem of an append that was not made; null when it was.</summary>
    public static Problem? Of(AppendOutcome outcome, AppendRequest request, PublisherOptions options)
    {
        var result = outcome.Result;
        switch (result?.Status)
        {
            case AppendStatus.Appended:
                return null;
            case AppendStatus.Ended:
                return new Problem(ProblemKind.StreamEnded, $"The stream has ended ({result.EndState}); it takes no more events.")
                {
                    Current = result.Current,
                    State = result.EndState,
                };
            case AppendStatus.PositionMismatch:
                return new Problem(ProblemKind.PositionMismatch, $"The stream is at {result.Current}, not at {request.Expected}.")
                {
                    Current = result.Current,
                };
            case AppendStatus.BacklogFull:
                return new Problem(ProblemKind.ArchiveBacklogFull, "The archiver is too far behind; nothing was appended.")
                {
                    RetryAfter = options.FullRetryAfter,
                    Ids = Ids(request),
                };
            default:
                return Unavailable(outcome.Refusal, outcome.RetryAfter) with { Ids = Ids(request) };
        }
    }

    public static Problem Unavailable(ProblemKind kind, TimeSpan retryAfter) => new(kind, kind switch
    {
        ProblemKind.CircuitOpen => "Redis has failed several times in a row and is left alone for a while.",
        ProblemKind.RedisFull => "Redis has no memory left; nothing was appended.",
        _ => "Redis could not be reached, or did not answer in time. Repeat the request with the same ids: whatever was appended is recognised.",
    })
    { RetryAfter = retryAfter };

    public static Problem TooMuch(PublisherOptions options) =>
        new(ProblemKind.TooManyRequests, "Too many bytes are being published at a time.")
        {
            RetryAfter = TimeSpan.FromSeconds(1),
            Limit = options.MaxInFlightBytes,
        };

    public static Problem TooFast(TimeSpan wait) =>
        new(ProblemKind.RateLimited, "You publish faster than you may; nothing of this request was appended.") { RetryAfter = wait };

    public static Problem Forbidden(string stream) =>
        new(ProblemKind.Forbidden, AccessRefusal.Forbidden(stream, "publish").Detail) { Stream = stream, Claim = "publish" };

    public static Problem TokenExpired() =>
        new(ProblemKind.TokenExpired, "The token has expired meanwhile; go on with a new one.");

    private static string[] Ids(AppendRequest request)
    {
        var ids = new string[request.Events.Count];
        for (var index = 0; index < ids.Length; index++)
        {
            ids[index] = request.Events[index].Id;
        }

        return ids;
    }
}
