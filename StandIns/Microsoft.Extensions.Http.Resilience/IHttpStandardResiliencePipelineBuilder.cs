using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.Extensions.Http.Resilience;

public interface IHttpStandardResiliencePipelineBuilder
{
    /// <summary>Name of its <see cref="HttpStandardResilienceOptions"/>.</summary>
    string PipelineName { get; }

    IServiceCollection Services { get; }
}
