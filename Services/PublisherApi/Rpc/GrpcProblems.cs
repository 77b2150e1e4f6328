using System.Globalization;
using AspireStreaming.PublisherApi.Http;
using Grpc.Core;

namespace AspireStreaming.PublisherApi.Rpc;

/// <summary>Problems as gRPC statuses.</summary>
internal static class GrpcProblems
{
    /// <summary>Type of the problem, as in HTTP.</summary>
    public const string TypeKey = "problem-type";

    /// <summary>The whole problem, as in HTTP, as JSON; without its ids where they would not fit into trailers.</summary>
    public const string BodyKey = "problem-bin";

    /// <summary>Seconds after which to try again.</summary>
    public const string RetryAfterKey = "retry-after";

    /// <summary>Where the stream stands, when it is not where the request expects it, or has ended.</summary>
    public const string CurrentKey = "current-position";

    /// <summary>
    /// Stem of the generated ids of a request that can be repeated: the event at 0-based index i has the id <c>stem.i</c>.
    /// </summary>
    public const string IdStemKey = "event-id-stem";

    /// <summary>Trailers are small: many clients take no more than 8 KiB.</summary>
    private const int MaxIds = 50;

    public static RpcException ToException(Problem problem, string? idStem)
    {
        var body = problem.Ids is { Count: > MaxIds } ? problem with { Ids = null } : problem;
        var trailers = new Metadata { { TypeKey, Problems.Uri(problem.Kind) }, { BodyKey, body.ToJson() } };
        if (problem.RetryAfter is { } retryAfter)
        {
            trailers.Add(RetryAfterKey, Problem.Seconds(retryAfter).ToString(CultureInfo.InvariantCulture));
        }

        if (problem.Current is { } current)
        {
            trailers.Add(CurrentKey, current.ToString());
        }

        if (idStem is not null && problem.Ids is not null)
        {
            trailers.Add(IdStemKey, idStem);
        }

        return new RpcException(new Status(StatusOf(problem.Kind), problem.Detail), trailers);
    }

    private static StatusCode StatusOf(ProblemKind kind) => kind switch
    {
        // The caller may read the stream and try again; an ended stream stays ended.
        ProblemKind.PositionMismatch => StatusCode.Aborted,
        ProblemKind.RedisFull or ProblemKind.ArchiveBacklogFull => StatusCode.ResourceExhausted,
        _ => Problems.Status(kind) switch
        {
            StatusCodes.Status401Unauthorized => StatusCode.Unauthenticated,
            StatusCodes.Status403Forbidden => StatusCode.PermissionDenied,
            StatusCodes.Status404NotFound => StatusCode.NotFound,
            StatusCodes.Status408RequestTimeout => StatusCode.DeadlineExceeded,
            StatusCodes.Status409Conflict => StatusCode.FailedPrecondition,
            StatusCodes.Status413PayloadTooLarge or StatusCodes.Status429TooManyRequests => StatusCode.ResourceExhausted,
            StatusCodes.Status503ServiceUnavailable => StatusCode.Unavailable,
            _ => StatusCode.InvalidArgument,
        },
    };
}
