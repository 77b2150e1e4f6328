namespace Aspire.StackExchange.Redis;

public sealed class StackExchangeRedisSettings
{
    public string? ConnectionString { get; set; }

    public bool DisableHealthChecks { get; set; }

    /// <summary>Without effect here: no tracing package exists for this version of the client.</summary>
    public bool DisableTracing { get; set; }

    /// <summary>False connects at the host's start, true on first use.</summary>
    public bool DisableAutoActivation { get; set; } = true;
}
