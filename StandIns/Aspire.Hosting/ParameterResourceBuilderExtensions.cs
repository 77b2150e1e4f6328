using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Orchestration;
using Microsoft.Extensions.Configuration;

namespace Aspire.Hosting;

public static class ParameterResourceBuilderExtensions
{
    private const int PasswordLength = 22;

    public static IResourceBuilder<ParameterResource> AddParameter(
        this IDistributedApplicationBuilder builder,
        string name,
        bool secret = false) =>
        builder.AddParameter(new ParameterResource(name, parameterDefault => Value(builder, name, parameterDefault), secret));

    public static IResourceBuilder<ParameterResource> AddParameter(
        this IDistributedApplicationBuilder builder,
        string name,
        string value,
        bool publishValueAsDefault = false,
        bool secret = false) =>
        builder.AddParameter(name, () => value, publishValueAsDefault, secret);

    public static IResourceBuilder<ParameterResource> AddParameter(
        this IDistributedApplicationBuilder builder,
        string name,
        Func<string> valueGetter,
        bool publishValueAsDefault = false,
        bool secret = false) =>
        builder.AddParameter(new ParameterResource(name, _ => builder.Configuration[$"Parameters:{name}"] ?? valueGetter(), secret));

    public static IResourceBuilder<ParameterResource> AddParameter(
        this IDistributedApplicationBuilder builder,
        string name,
        ParameterDefault value,
        bool secret = false,
        bool persist = false)
    {
        ParameterResource? resource = null;
        resource = new ParameterResource(name, parameterDefault => Value(builder, name, parameterDefault, () => resource!.IsKept), secret)
        {
            Default = value,
            IsKept = persist,
        };
        return builder.AddParameter(resource);
    }

    public static IResourceBuilder<ParameterResource> AddParameterFromConfiguration(
        this IDistributedApplicationBuilder builder,
        string name,
        string configurationKey,
        bool secret = false) =>
        builder.AddParameter(new ParameterResource(
            name,
            _ => builder.Configuration[configurationKey]
                ?? throw new MissingParameterValueException(
                    $"Parameter resource could not be used because configuration key '{configurationKey}' is missing and the Parameter has no default value."),
            secret));

    public static IResourceBuilder<ParameterResource> WithDescription(
        this IResourceBuilder<ParameterResource> builder,
        string description,
        bool enableMarkdown = false)
    {
        builder.Resource.Description = description;
        return builder;
    }

    public static IResourceBuilder<IResourceWithConnectionString> AddConnectionString(
        this IDistributedApplicationBuilder builder,
        string name,
        string? environmentVariableName = null) =>
        builder.AddResource(new ConnectionStringParameterResource(
            name,
            _ => builder.Configuration.GetConnectionString(name)
                ?? throw new MissingParameterValueException(
                    $"Connection string parameter resource could not be used because connection string '{name}' is missing."),
            environmentVariableName));

    public static ParameterResource CreateDefaultPasswordParameter(
        IDistributedApplicationBuilder builder,
        string name,
        bool lower = true,
        bool upper = true,
        bool numeric = true,
        bool special = true,
        int minLower = 0,
        int minUpper = 0,
        int minNumeric = 0,
        int minSpecial = 0) =>
        CreateGeneratedParameter(builder, name, secret: true, new GenerateParameterDefault
        {
            MinLength = PasswordLength,
            Lower = lower,
            Upper = upper,
            Numeric = numeric,
            Special = special,
            MinLower = minLower,
            MinUpper = minUpper,
            MinNumeric = minNumeric,
            MinSpecial = minSpecial,
        });

    public static ParameterResource CreateGeneratedParameter(
        IDistributedApplicationBuilder builder,
        string name,
        bool secret,
        GenerateParameterDefault parameterDefault)
    {
        ParameterResource? resource = null;
        resource = new ParameterResource(name, value => Value(builder, name, value, () => resource!.IsKept), secret)
        {
            Default = parameterDefault,
        };
        return resource;
    }

    private static IResourceBuilder<ParameterResource> AddParameter(this IDistributedApplicationBuilder builder, ParameterResource resource) =>
        builder.AddResource(resource);

    private static string Value(
        IDistributedApplicationBuilder builder,
        string name,
        ParameterDefault? parameterDefault,
        Func<bool>? isKept = null)
    {
        var key = $"Parameters:{name}";
        var configured = builder.Configuration[key] ?? builder.Configuration[key.Replace('-', '_')];
        if (configured is not null)
        {
            return configured;
        }

        if (parameterDefault is null)
        {
            throw new MissingParameterValueException(
                $"Parameter resource could not be used because configuration key '{key}' is missing and the Parameter has no default value.");
        }

        // Data that outlives the host needs its password the next time.
        return isKept?.Invoke() == true && builder.ExecutionContext.IsRunMode
            ? UserSecrets.GetOrAdd(builder.AppHostAssembly, key, parameterDefault.GetDefaultValue)
            : parameterDefault.GetDefaultValue();
    }

    private sealed class ConnectionStringParameterResource(string name, Func<ParameterDefault?, string> callback, string? environmentVariableName)
        : ParameterResource(name, callback, secret: true), IResourceWithConnectionString, IResourceWithoutLifetime
    {
        public string? ConnectionStringEnvironmentVariable => environmentVariableName;

        public ReferenceExpression ConnectionStringExpression => ReferenceExpression.Create($"{new Value(this)}");

        // The parameter is a connection string itself, and the interface would lead back to it.
        private sealed class Value(ParameterResource parameter) : IExpressionValue
        {
            public string ValueExpression => parameter.ValueExpression;

            public ValueTask<string?> GetValueAsync(CancellationToken cancellationToken = default) => parameter.GetValueAsync(cancellationToken);
        }
    }
}
