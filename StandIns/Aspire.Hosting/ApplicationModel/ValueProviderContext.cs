using Aspire.Hosting.Orchestration;

namespace Aspire.Hosting.ApplicationModel;

public class ValueProviderContext
{
    public DistributedApplicationExecutionContext? ExecutionContext { get; init; }

    public IResource? Caller { get; init; }

    /// <summary>The replica that the value is for: target ports differ between replicas.</summary>
    internal ResourceInstance? Instance { get; init; }
}
