namespace Microsoft.Extensions.Http.Resilience;

public sealed class ResilienceHandlerContext
{
    internal ResilienceHandlerContext(IServiceProvider serviceProvider, string builderName)
    {
        ServiceProvider = serviceProvider;
        BuilderName = builderName;
    }

    public IServiceProvider ServiceProvider { get; }

    public string BuilderName { get; }
}
