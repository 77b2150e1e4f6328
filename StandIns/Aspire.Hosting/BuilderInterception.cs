using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting;

/// <summary>How Aspire.Hosting.Testing looks into an AppHost's entry point: it runs that with its hooks in the execution context.</summary>
internal sealed class BuilderInterception
{
    private static readonly AsyncLocal<BuilderInterception?> Ambient = new();

    public static BuilderInterception? Current
    {
        get => Ambient.Value;
        set => Ambient.Value = value;
    }

    public required Action<DistributedApplicationOptions, HostApplicationBuilderSettings> Creating { get; init; }

    public required Action<DistributedApplicationBuilder> Created { get; init; }

    /// <summary>Returns when the test builds; the entry point stands still that long.</summary>
    public required Action<DistributedApplicationBuilder> Building { get; init; }

    /// <summary>Takes the application and returns what the entry point gets in its place.</summary>
    public required Func<DistributedApplication, DistributedApplication> Built { get; init; }
}
