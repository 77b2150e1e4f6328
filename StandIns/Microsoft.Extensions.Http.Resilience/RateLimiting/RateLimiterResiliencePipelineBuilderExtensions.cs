using System.Threading.RateLimiting;
using Polly.RateLimiting;

namespace Polly;

public static class RateLimiterResiliencePipelineBuilderExtensions
{
    public static TBuilder AddConcurrencyLimiter<TBuilder>(this TBuilder builder, int permitLimit, int queueLimit = 0)
        where TBuilder : ResiliencePipelineBuilderBase =>
        builder.AddRateLimiter(new RateLimiterStrategyOptions
        {
            DefaultRateLimiterOptions = new ConcurrencyLimiterOptions { PermitLimit = permitLimit, QueueLimit = queueLimit },
        });

    public static TBuilder AddRateLimiter<TBuilder>(this TBuilder builder, RateLimiterStrategyOptions options)
        where TBuilder : ResiliencePipelineBuilderBase
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(options);

        return builder.AddStrategy(
            _ =>
            {
                if (options.RateLimiter is { } custom)
                {
                    return new RateLimiterResilienceStrategy(custom);
                }

                // Lives as long as its pipeline, which lives as long as the container; it holds nothing but memory.
                var limiter = new ConcurrencyLimiter(options.DefaultRateLimiterOptions);
                return new RateLimiterResilienceStrategy(
                    arguments => limiter.AcquireAsync(cancellationToken: arguments.Context.CancellationToken));
            },
            options);
    }
}
