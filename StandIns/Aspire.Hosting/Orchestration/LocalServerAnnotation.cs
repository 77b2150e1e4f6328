using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Local;

namespace Aspire.Hosting.Orchestration;

/// <summary>How a server that official hosting runs in a container runs as a process of this machine.</summary>
internal sealed class LocalServerAnnotation : IResourceAnnotation
{
    /// <summary>The program, as the console and the dashboard name it.</summary>
    public required string Source { get; init; }

    /// <summary>Where a container would keep its data: a mount there makes the data outlive the host.</summary>
    public required string DataTarget { get; init; }

    public Func<string?> RunAsUser { get; init; } = () => null;

    public required Func<LocalServerContext, CancellationToken, Task<ProcessSpec>> PrepareAsync { get; init; }
}
