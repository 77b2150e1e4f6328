using System.Collections.Concurrent;
using Polly;

namespace Microsoft.Extensions.Http.Resilience.Internal;

/// <summary>One pipeline per client and name: limits and circuits outlive the handlers, which the factory replaces every few minutes.</summary>
internal sealed class ResiliencePipelines(IServiceProvider services)
{
    private readonly ConcurrentDictionary<string, Lazy<ResiliencePipeline<HttpResponseMessage>>> _pipelines = new(StringComparer.Ordinal);

    public ResiliencePipeline<HttpResponseMessage> Get(
        string name, Action<ResiliencePipelineBuilder<HttpResponseMessage>, ResilienceHandlerContext> configure) =>
        _pipelines.GetOrAdd(name, key => new Lazy<ResiliencePipeline<HttpResponseMessage>>(() =>
        {
            var builder = new ResiliencePipelineBuilder<HttpResponseMessage>
            {
                Name = key,
                TimeProvider = services.GetService(typeof(TimeProvider)) as TimeProvider,
            };
            configure(builder, new ResilienceHandlerContext(services, key));
            return builder.Build();
        })).Value;
}
