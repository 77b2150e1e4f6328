using AspireStreaming.Client;

namespace AspireStreaming.Cli.Verify;

/// <summary>Positions that should hold events and do not.</summary>
/// <param name="After">Last position before the hole.</param>
/// <param name="To">Last missing position.</param>
/// <param name="Missing">Number of missing events.</param>
internal sealed record Hole(StreamPosition After, StreamPosition To, long Missing);
