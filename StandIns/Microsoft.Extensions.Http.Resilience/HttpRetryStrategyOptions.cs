using Microsoft.Extensions.Http.Resilience.Internal;
using Polly;
using Polly.Retry;

namespace Microsoft.Extensions.Http.Resilience;

public class HttpRetryStrategyOptions : RetryStrategyOptions<HttpResponseMessage>
{
    private bool _shouldRetryAfterHeader;

    public HttpRetryStrategyOptions()
    {
        ShouldHandle = arguments => new ValueTask<bool>(HttpClientResiliencePredicates.IsTransient(arguments.Outcome));
        BackoffType = DelayBackoffType.Exponential;
        ShouldRetryAfterHeader = true;
        UseJitter = true;
    }

    /// <summary>Waits as long as a <c>Retry-After</c> header asks, instead of the back-off. True by default.</summary>
    public bool ShouldRetryAfterHeader
    {
        get => _shouldRetryAfterHeader;
        set
        {
            _shouldRetryAfterHeader = value;
            DelayGenerator = value ? static arguments => new ValueTask<TimeSpan?>(RetryAfterHeader.Read(arguments.Outcome.Result)) : null;
        }
    }
}
