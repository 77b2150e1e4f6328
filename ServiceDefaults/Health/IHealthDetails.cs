namespace AspireStreaming.ServiceDefaults.Health;

/// <summary>
/// The numbers of <c>GET /health</c>. A service that has any registers one singleton; without it they are 0. Read at each
/// request, so they must come from counters, not from look-ups.
/// </summary>
public interface IHealthDetails
{
    /// <summary>Streams and their connections on this replica.</summary>
    StreamHealth Stream { get; }

    /// <summary>Workflow runs that this replica has seen.</summary>
    WorkflowHealth Workflows { get; }
}
