using Microsoft.Extensions.DependencyInjection;

namespace OpenTelemetry;

/// <summary><c>WithMetrics</c>, <c>WithTracing</c>, <c>WithLogging</c> and <c>ConfigureResource</c> are the SDK's own extensions of the interface.</summary>
public sealed class OpenTelemetryBuilder : IOpenTelemetryBuilder
{
    internal OpenTelemetryBuilder(IServiceCollection services)
    {
        Services = services;
    }

    public IServiceCollection Services { get; }
}
