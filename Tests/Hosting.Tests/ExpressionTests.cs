namespace AspireStreaming.Hosting.Tests;

public sealed class ExpressionTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Create_with_literals_and_values_formats_them_in_order()
    {
        var builder = DistributedApplicationTestingBuilder.Create();
        var parameter = builder.AddParameter("secret", "a b/c", secret: true);
        var text = "plain";

        var expression = ReferenceExpression.Create($"{{\"{text}\":{parameter}}} {parameter:uri}");

        Assert.Equal("{\"plain\":a b/c} a%20b%2Fc", await expression.GetValueAsync(Cancellation));
        Assert.Equal("{\"plain\":{secret.value}} {secret.value}", expression.ValueExpression);
    }

    [Fact]
    public async Task Create_with_an_expression_inside_resolves_that_too()
    {
        var inner = ReferenceExpression.Create($"inner {"text"}");
        var outer = ReferenceExpression.Create($"[{inner}]");

        Assert.Equal("[inner text]", await outer.GetValueAsync(Cancellation));
    }

    [Fact]
    public async Task Builder_with_appended_parts_builds_one_expression()
    {
        var host = DistributedApplicationTestingBuilder.Create().AddParameter("host", "example");
        var builder = new ReferenceExpressionBuilder();
        Assert.True(builder.IsEmpty);

        builder.AppendLiteral("http://");
        builder.Append($"{host}:{"8080"}");

        Assert.Equal("http://example:8080", await builder.Build().GetValueAsync(Cancellation));
    }

    [Fact]
    public async Task Parameter_with_configured_value_takes_that()
    {
        var builder = DistributedApplicationTestingBuilder.Create("Parameters:api-key=given", "Parameters:other_key=under");

        Assert.Equal("given", await builder.AddParameter("api-key", "default").Resource.GetValueAsync(Cancellation));
        Assert.Equal("under", await builder.AddParameter("other-key").Resource.GetValueAsync(Cancellation));
        await Assert.ThrowsAsync<MissingParameterValueException>(
            async () => await builder.AddParameter("absent").Resource.GetValueAsync(Cancellation));
    }

    [Fact]
    public async Task Redis_connection_properties_name_its_parts()
    {
        var builder = DistributedApplicationTestingBuilder.Create();
        var redis = builder.AddRedis("redis", password: builder.AddParameter("pw", "p,w"));
        redis.WithEndpoint("tcp", endpoint => endpoint.AllocatedEndpoint = new AllocatedEndpoint(endpoint, "localhost", 1234));

        Assert.Equal("localhost:1234,password=p,w", await redis.Resource.GetConnectionStringAsync(Cancellation));
        Assert.Equal(
            [("Host", "localhost"), ("Port", "1234"), ("Password", "p,w"), ("Uri", "redis://:p%2Cw@localhost:1234")],
            await PropertiesAsync(redis.Resource));
    }

    [Fact]
    public async Task Database_connection_properties_add_its_name()
    {
        var builder = DistributedApplicationTestingBuilder.Create();
        var postgres = builder.AddPostgres("pg", password: builder.AddParameter("pw", "p@w"));
        var database = postgres.AddDatabase("appdb", "real");
        postgres.WithEndpoint("tcp", endpoint => endpoint.AllocatedEndpoint = new AllocatedEndpoint(endpoint, "localhost", 1234));

        IResourceWithConnectionString resource = database.Resource;
        Assert.Equal(
            "Host=localhost;Port=1234;Username=postgres;Password=p@w;Database=real", await resource.GetConnectionStringAsync(Cancellation));
        Assert.Equal(
            [
                ("Host", "localhost"), ("Port", "1234"), ("Username", "postgres"), ("Password", "p@w"), ("DatabaseName", "real"),
                ("Uri", "postgresql://postgres:p%40w@localhost:1234/real"), ("JdbcConnectionString", "jdbc:postgresql://localhost:1234/real"),
            ],
            await PropertiesAsync(resource));
    }

    [Theory]
    [InlineData("")]
    [InlineData("1st")]
    [InlineData("a--b")]
    [InlineData("a-")]
    [InlineData("a_b")]
    public void Resource_with_an_invalid_name_is_refused(string name)
    {
        var builder = DistributedApplicationTestingBuilder.Create();

        Assert.ThrowsAny<ArgumentException>(() => builder.AddParameter(name, "x"));
    }

    [Fact]
    public void AddResource_with_a_known_name_is_refused()
    {
        var builder = DistributedApplicationTestingBuilder.Create();
        builder.AddRedis("cache");

        Assert.Throws<DistributedApplicationException>(() => builder.AddPostgres("Cache"));
    }

    private static async Task<IReadOnlyList<(string, string?)>> PropertiesAsync(IResourceWithConnectionString resource)
    {
        var properties = new List<(string, string?)>();
        foreach (var (name, value) in resource.GetConnectionProperties())
        {
            properties.Add((name, await value.GetValueAsync(Cancellation)));
        }

        return properties;
    }
}
