namespace AspireStreaming.ServiceDefaults.Health;

/// <summary>Streams and their connections on this replica.</summary>
/// <param name="ActiveConnections">Connections open now.</param>
/// <param name="TotalMessages">Events accepted or delivered since the start.</param>
/// <param name="MaxConnections">Connections allowed at once.</param>
/// <param name="TotalStreams">Streams active on this replica.</param>
/// <param name="HealthyStreams">Those of them that keep up with the hot log.</param>
/// <param name="Subscribers">Subscriptions open now; a connection may hold several.</param>
public sealed record StreamHealth(
    long ActiveConnections = 0,
    long TotalMessages = 0,
    long MaxConnections = 0,
    long TotalStreams = 0,
    long HealthyStreams = 0,
    long Subscribers = 0);
