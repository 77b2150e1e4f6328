namespace AspireStreaming.StreamApi.Listing;

/// <summary>A stream, as <c>GET /streams</c> tells of it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="First">Position of the first event that can be read; <c>0-0</c> when there is none.</param>
/// <param name="Last">The last position.</param>
/// <param name="Count">Events that can be read.</param>
/// <param name="ArchivedTo">Up to where the archive has it; <c>0-0</c> if nowhere.</param>
/// <param name="Subscribers">Its readers on all replicas that answered.</param>
/// <param name="State"><c>running</c>, <c>completed</c>, <c>failed</c>, <c>cancelled</c> or <c>ended</c>.</param>
internal sealed record StreamInfo(string Name, string First, string Last, long Count, string ArchivedTo, int Subscribers, string State);

/// <summary>The answer of <c>GET /streams/{stream}</c>: a stream, and whether the number of its subscribers is complete.</summary>
/// <inheritdoc cref="StreamInfo"/>
/// <param name="Name">Its name.</param>
/// <param name="First">Position of the first event that can be read; <c>0-0</c> when there is none.</param>
/// <param name="Last">The last position.</param>
/// <param name="Count">Events that can be read.</param>
/// <param name="ArchivedTo">Up to where the archive has it; <c>0-0</c> if nowhere.</param>
/// <param name="Subscribers">Its readers on all replicas that answered.</param>
/// <param name="State"><c>running</c>, <c>completed</c>, <c>failed</c>, <c>cancelled</c> or <c>ended</c>.</param>
/// <param name="Unanswered">Replicas that did not answer in time.</param>
/// <param name="Partial">Whether something is missing, named in <paramref name="Unanswered"/> or not known.</param>
internal sealed record StreamDocument(
    string Name,
    string First,
    string Last,
    long Count,
    string ArchivedTo,
    int Subscribers,
    string State,
    IReadOnlyList<string> Unanswered,
    bool Partial);

/// <summary>A page of streams.</summary>
/// <param name="Streams">The streams, newest activity first.</param>
/// <param name="Next">The cursor of the next page; null on the last.</param>
/// <param name="Unanswered">Replicas that did not answer in time, whose subscribers are not counted.</param>
/// <param name="Partial">Whether something is missing, named in <paramref name="Unanswered"/> or not known.</param>
internal sealed record StreamList(IReadOnlyList<StreamInfo> Streams, string? Next, IReadOnlyList<string> Unanswered, bool Partial);
