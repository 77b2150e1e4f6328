namespace AspireStreaming.ServiceDefaults.Health;

internal sealed class HealthOptions
{
    /// <summary>Leaves everything but the status out of <c>/health</c>, for a service whose other routes need a token.</summary>
    public bool HideDetails { get; set; }
}
