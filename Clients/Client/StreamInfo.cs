namespace AspireStreaming.Client;

/// <summary>What the Stream API says about a stream.</summary>
/// <param name="Name">Its name.</param>
/// <param name="First">First readable event; <c>0-0</c> for none.</param>
/// <param name="Last">Last event; <c>0-0</c> for none.</param>
/// <param name="Count">Number of readable events, if it was said.</param>
/// <param name="ArchivedTo">Everything up to here is in the archive.</param>
/// <param name="State"><c>running</c>, <c>completed</c>, <c>failed</c>, <c>cancelled</c> or <c>ended</c>.</param>
public sealed record StreamInfo(
    string Name, StreamPosition First, StreamPosition Last, long? Count, StreamPosition ArchivedTo, string State);
