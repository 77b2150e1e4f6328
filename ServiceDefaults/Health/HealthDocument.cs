using System.Text.Json.Serialization;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace AspireStreaming.ServiceDefaults.Health;

/// <summary>The body of <c>/health</c>.</summary>
internal sealed record HealthDocument(
    string Status,
    DateTime Timestamp,
    bool? Draining = null,
    StreamHealth? Stream = null,
    WorkflowHealth? Workflows = null,
    IReadOnlyDictionary<string, DependencyHealth>? Dependencies = null)
{
    public static string NameOf(HealthStatus status) => status switch
    {
        HealthStatus.Healthy => "healthy",
        HealthStatus.Degraded => "degraded",
        _ => "unhealthy",
    };
}

internal sealed record DependencyHealth(string Status, string? Description, double DurationMs);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(HealthDocument))]
internal sealed partial class HealthJsonContext : JsonSerializerContext;
