using AspireStreaming.Client;

namespace AspireStreaming.Cli.Publish;

/// <summary>How far a publication has got.</summary>
/// <param name="Acknowledged">Events that the service has acknowledged.</param>
/// <param name="Duplicates">Of these, the ones that were already there.</param>
/// <param name="First">Position of the first acknowledged event; null before the first.</param>
/// <param name="Last">Position of the last acknowledged event.</param>
/// <param name="Line">Number of the line that it came from.</param>
/// <param name="Bytes">Bytes of the input up to there.</param>
internal readonly record struct PublishTotals(
    long Acknowledged, long Duplicates, StreamPosition? First, StreamPosition? Last, long Line, long Bytes);
