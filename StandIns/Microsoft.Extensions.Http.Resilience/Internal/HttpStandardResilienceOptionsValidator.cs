using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Microsoft.Extensions.Http.Resilience.Internal;

internal sealed class HttpStandardResilienceOptionsValidator(string optionsName) : IValidateOptions<HttpStandardResilienceOptions>
{
    public ValidateOptionsResult Validate(string? name, HttpStandardResilienceOptions options)
    {
        if (name != optionsName)
        {
            return ValidateOptionsResult.Skip;
        }

        var results = new List<ValidationResult>();
        object[] parts = [options.RateLimiter, options.TotalRequestTimeout, options.Retry, options.CircuitBreaker, options.AttemptTimeout];
        foreach (var part in parts)
        {
            Validator.TryValidateObject(part, new ValidationContext(part), results, validateAllProperties: true);
        }

        var builder = new ValidateOptionsResultBuilder();
        builder.AddResults(results);
        if (options.AttemptTimeout.Timeout > options.TotalRequestTimeout.Timeout)
        {
            builder.AddError($"The attempt timeout ({options.AttemptTimeout.Timeout}) exceeds the total request timeout ({options.TotalRequestTimeout.Timeout}).");
        }

        if (options.CircuitBreaker.SamplingDuration < 2 * options.AttemptTimeout.Timeout)
        {
            builder.AddError(
                $"The circuit breaker's sampling duration ({options.CircuitBreaker.SamplingDuration}) is below twice the attempt timeout ({options.AttemptTimeout.Timeout}).");
        }

        return builder.Build();
    }
}
