namespace AspireStreaming.StreamApi.Fleet;

/// <summary>A replica of this service.</summary>
/// <param name="Id">Differs for every process.</param>
/// <param name="Name">What people call it.</param>
/// <param name="Address">Where it listens; null before it does.</param>
internal sealed record Replica(string Id, string Name, string? Address);
