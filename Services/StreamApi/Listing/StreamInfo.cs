namespace AspireStreaming.StreamApi.Listing;

/// <summary>A stream, as the listings tell of it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="First">Position of the first event that can be read; <c>0-0</c> when there is none.</param>
/// <param name="Last">The last position.</param>
/// <param name="Count">Events that can be read.</param>
/// <param name="ArchivedTo">Up to where the archive has it; null if nowhere.</param>
/// <param name="Subscribers">Readers on this replica.</param>
/// <param name="State"><c>running</c>, <c>completed</c>, <c>failed</c>, <c>cancelled</c> or <c>ended</c>.</param>
internal sealed record StreamInfo(string Name, string First, string Last, long Count, string? ArchivedTo, int Subscribers, string State);

/// <summary>A page of streams.</summary>
/// <param name="Streams">The streams, newest activity first.</param>
/// <param name="Next">The cursor of the next page; null on the last.</param>
internal sealed record StreamList(IReadOnlyList<StreamInfo> Streams, string? Next);
