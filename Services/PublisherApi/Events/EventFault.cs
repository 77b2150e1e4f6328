using AspireStreaming.PublisherApi.Http;

namespace AspireStreaming.PublisherApi.Events;

/// <summary>Why a body or an event in it is refused.</summary>
/// <param name="Kind">The kind of problem.</param>
/// <param name="Detail">One sentence for the publisher.</param>
/// <param name="Field">The attribute at fault.</param>
/// <param name="Index">The 0-based index of the event in its batch.</param>
/// <param name="Limit">The limit that was passed.</param>
internal sealed record EventFault(ProblemKind Kind, string Detail, string? Field = null, int? Index = null, long? Limit = null)
{
    public static EventFault Invalid(string field, string detail, int? index) => new(ProblemKind.InvalidEvent, detail, field, index);

    public static EventFault TooLarge(string detail, long limit, string? field = null, int? index = null) =>
        new(ProblemKind.TooLarge, detail, field, index, limit);
}
